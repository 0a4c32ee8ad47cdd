#include "phase.h"

#include <stdio.h>
#include <time.h>

#include "absence.h"
#include "clock.h"
#include "pace.h"
#include "posting.h"
#include "server_sample.h"


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
  if (sscanf(text, "posts:%u:%u%c", &phase->messages, &phase->outstanding_max, &rest) == 2) {
    phase->kind = POSTS;
    return phase->messages > 0 && phase->outstanding_max > 0;
  }
  if (sscanf(text, "cut:%u:%lf%c", &phase->messages, &phase->per_second, &rest) == 2) {
    phase->kind = CUT_OFF;
    return phase->messages > 0 && phase->per_second > 0;
  }
  bool is_slow = sscanf(text, "slow:%lf:%lf%c", &phase->per_second, &seconds, &rest) == 2;
  if (is_slow || sscanf(text, "rate:%lf:%lf%c", &phase->per_second, &seconds, &rest) == 2) {
    phase->kind = is_slow ? SLOW : RATE;
    phase->messages = (uint32_t)(phase->per_second * seconds);
    return phase->per_second > 0 && phase->messages > 0;
  }
  phase->kind = IDLE;
  return sscanf(text, "idle:%lf%c", &phase->seconds, &rest) == 1 && phase->seconds > 0;
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
    pace_take(load);
    result->is_stalled = !connections->ready || pace_is_stalled(load, &progress);
    if (result->is_stalled) return;
  }
}

static double driver_cpu_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run(struct load *load, const struct phase *phase, uint64_t receivers, struct phase_result *result) {
  switch (phase->kind) {
    case BURST:
      posting_burst(load, phase, result);
      return;
    case RATE:
      posting_rate(load, phase, receivers, result);
      return;
    case CALLS:
      call(load, phase, result);
      return;
    case IDLE:
      load_serve_for_ms(load, (int)(phase->seconds * 1000));
      return;
    case POSTS:
      posting_posts(load, phase, result);
      return;
    case CUT_OFF:
      absence_cut(load, phase, result);
      return;
    case SLOW:
      absence_slow(load, phase, result);
      return;
  }
}

struct phase_result phase_run(struct load *load, const struct phase *phase) {
  struct phase_result result = {0};
  int pid = load->options->server_pid;
  connections_keep_alive(&load->connections);
  load_serve_for_ms(load, load->options->quiet_ms);
  connections_begin_phase(&load->connections, load->next_number);
  poster_begin_phase(&load->poster);
  uint64_t connections = connections_receiving(&load->connections);

  struct server_sample before = server_sample_take(pid);
  double driver_before_s = driver_cpu_seconds();
  uint64_t start_ns = clock_now_ns();
  if (connections || phase->kind == POSTS) run(load, phase, connections, &result);
  uint64_t end_ns = clock_now_ns();
  struct server_sample after = server_sample_take(pid);
  result.driver_cpu_s = driver_cpu_seconds() - driver_before_s;

  load_serve_for_ms(load, load->options->grace_ms);
  result.wall_s = (double)(end_ns - start_ns) / 1e9;
  result.server_cpu_s = after.cpu_s - before.cpu_s;
  result.server_user_s = after.user_s - before.user_s;
  result.server_system_s = after.system_s - before.system_s;
  result.server_rss_bytes = after.rss_bytes;
  result.server_rss_peak_bytes = after.rss_peak_bytes;
  result.expected = connections * result.posted;
  result.missing = connections_missing(&load->connections);
  return result;
}
