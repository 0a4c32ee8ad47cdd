#include "phase.h"

#include <stdio.h>
#include <time.h>

#include "clock.h"
#include "server_sample.h"

#define QUIET_BEFORE_MS 300 // the server works off keep-alives and what the last phase has left
#define GRACE_MS 200        // afterwards, for what should not come: doubled messages
#define LOOK_MS 10

bool phase_read(const char *text, struct phase *phase) {
  double seconds;
  char rest;
  *phase = (struct phase){0};
  if (sscanf(text, "burst:%u:%u%c", &phase->messages, &phase->outstanding_max, &rest) == 2) {
    phase->kind = BURST;
    return phase->messages > 0 && phase->outstanding_max > 0;
  }
  if (sscanf(text, "calls:%u:%u%c", &phase->messages, &phase->outstanding_max, &rest) == 2) {
    phase->kind = CALLS;
    return phase->messages > 0 && phase->outstanding_max > 0 && phase->outstanding_max <= CALLS_OUTSTANDING_MAX;
  }
  if (sscanf(text, "rate:%lf:%lf%c", &phase->per_second, &seconds, &rest) == 2) {
    phase->kind = RATE;
    phase->messages = (uint32_t)(phase->per_second * seconds);
    return phase->per_second > 0 && phase->messages > 0;
  }
  phase->kind = IDLE;
  return sscanf(text, "idle:%lf%c", &phase->seconds, &rest) == 1 && phase->seconds > 0;
}

/** Sees whether deliveries still come. */
struct progress {
  uint64_t deliveries;
  uint64_t last_ns;
};

static bool is_stalled(const struct load *load, struct progress *progress) {
  uint64_t now_ns = clock_now_ns();
  uint64_t deliveries = load->connections.arrivals.deliveries;
  if (deliveries != progress->deliveries) *progress = (struct progress){deliveries, now_ns};
  // What was refused never comes, and without connections nothing does.
  if (!load->connections.ready || load->poster.refused) return true;
  return now_ns - progress->last_ns > (uint64_t)load->options->stall_ms * NANOSECONDS_PER_MILLISECOND;
}

/**
 * Takes what has come of messages that are outstanding. Naps instead of waiting for a socket: each of the server's
 * sends would have to wake the driver otherwise, which takes CPU time of the server and holds up its other clients.
 */
static void take_deliveries(struct load *load) {
  struct timespec nap = {.tv_nsec = load->options->nap_us * 1000l};
  if (nap.tv_nsec) clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
  load_serve(load, nap.tv_nsec ? 0 : clock_now_ns() + LOOK_MS * NANOSECONDS_PER_MILLISECOND);
}

static void burst(struct load *load, const struct phase *phase, struct phase_result *result) {
  const struct arrivals *arrivals = &load->connections.arrivals;
  uint64_t connections = (uint64_t)load->connections.ready;
  struct progress progress = {.last_ns = clock_now_ns()};
  while (result->posted < phase->messages || arrivals->deliveries < connections * result->posted) {
    uint64_t with_everybody = arrivals->deliveries / connections;
    while (result->posted < phase->messages && result->posted < with_everybody + phase->outstanding_max &&
           poster_is_free(&load->poster)) {
      load_post(load, clock_now_ns());
      result->posted++;
    }
    take_deliveries(load);
    if ((result->is_stalled = is_stalled(load, &progress))) return;
  }
}

/**
 * Stamps each message with the time at which it was due, not at which the poster got round to it, so that a server
 * that is slow to answer does not shorten its own latencies.
 */
static void rate(struct load *load, const struct phase *phase, struct phase_result *result) {
  const struct arrivals *arrivals = &load->connections.arrivals;
  uint64_t connections = (uint64_t)load->connections.ready;
  uint64_t start_ns = clock_now_ns();
  uint64_t interval_ns = (uint64_t)(NANOSECONDS_PER_SECOND / phase->per_second);
  struct progress progress = {.last_ns = start_ns};
  while (result->posted < phase->messages || arrivals->deliveries < connections * result->posted) {
    uint64_t now_ns = clock_now_ns();
    uint64_t due_ns = start_ns + result->posted * interval_ns;
    bool is_due = result->posted < phase->messages && now_ns >= due_ns;
    if (is_due && poster_is_free(&load->poster)) {
      load_post(load, due_ns);
      result->posted++;
      continue;
    }
    if (is_due || arrivals->deliveries < connections * result->posted) {
      take_deliveries(load);
    } else {
      uint64_t look_ns = now_ns + LOOK_MS * NANOSECONDS_PER_MILLISECOND;
      load_serve(load, due_ns < look_ns ? due_ns : look_ns);
      progress.last_ns = clock_now_ns();
    }
    if ((result->is_stalled = is_stalled(load, &progress))) return;
  }
}

/** Each connection calls again as soon as it has an answer. */
static void call(struct load *load, const struct phase *phase, struct phase_result *result) {
  struct connections *connections = &load->connections;
  uint64_t expected = (uint64_t)connections->ready * phase->messages;
  struct progress progress = {.last_ns = clock_now_ns()};
  result->posted = phase->messages;
  calls_begin(connections, phase->messages, phase->outstanding_max);
  for (int i = 0; i < connections->started; i++)
    if (connections->all[i].state == READY) calls_send_next(connections, &connections->all[i]);
  while (connections->arrivals.deliveries < expected) {
    take_deliveries(load);
    if ((result->is_stalled = is_stalled(load, &progress))) return;
  }
}

static double driver_cpu_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct phase_result phase_run(struct load *load, const struct phase *phase) {
  struct phase_result result = {0};
  int pid = load->options->server_pid;
  connections_keep_alive(&load->connections);
  load_serve_for_ms(load, QUIET_BEFORE_MS);
  connections_begin_phase(&load->connections, load->next_number);
  uint64_t connections = (uint64_t)load->connections.ready;

  struct server_sample before = server_sample_take(pid);
  double driver_before_s = driver_cpu_seconds();
  uint64_t start_ns = clock_now_ns();
  if (connections) {
    switch (phase->kind) {
      case BURST:
        burst(load, phase, &result);
        break;
      case RATE:
        rate(load, phase, &result);
        break;
      case CALLS:
        call(load, phase, &result);
        break;
      case IDLE:
        load_serve_for_ms(load, (int)(phase->seconds * 1000));
    }
  }
  uint64_t end_ns = clock_now_ns();
  struct server_sample after = server_sample_take(pid);
  result.driver_cpu_s = driver_cpu_seconds() - driver_before_s;

  load_serve_for_ms(load, GRACE_MS);
  result.wall_s = (double)(end_ns - start_ns) / 1e9;
  result.server_cpu_s = after.cpu_s - before.cpu_s;
  result.server_user_s = after.user_s - before.user_s;
  result.server_system_s = after.system_s - before.system_s;
  result.server_rss_bytes = after.rss_bytes;
  result.expected = connections * result.posted;
  result.lost = connections_lost(&load->connections);
  return result;
}
