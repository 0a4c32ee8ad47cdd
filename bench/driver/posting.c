#include "posting.h"

#include "clock.h"
#include "pace.h"

#define LOOK_MS 10
// Less than any server's patience with clients that say nothing.
#define KEEP_ALIVE_MS 10000

void posting_burst(struct load *load, const struct phase *phase, struct phase_result *result) {
  const struct arrivals *arrivals = &load->connections.arrivals;
  uint64_t receivers = connections_receiving(&load->connections);
  uint32_t batch = (uint32_t)load->options->post_batch;
  struct progress progress = {.last_ns = clock_now_ns()};
  while (result->posted < phase->messages || arrivals->deliveries < receivers * result->posted) {
    uint64_t with_everybody = arrivals->deliveries / receivers;
    while (result->posted < phase->messages && result->posted + batch <= with_everybody + phase->outstanding_max &&
           poster_is_free(&load->poster)) {
      load_post(load, clock_now_ns());
      result->posted += batch;
    }
    pace_take(load);
    result->is_stalled = !load->connections.ready || pace_is_stalled(load, &progress);
    if (result->is_stalled) return;
  }
}

void posting_rate(struct load *load, const struct phase *phase, uint64_t receivers, struct phase_result *result) {
  const struct arrivals *arrivals = &load->connections.arrivals;
  struct pacer pacer = pace_begin(phase->per_second);
  struct progress progress = {.last_ns = pacer.start_ns};
  uint64_t keep_alive_ns = pacer.start_ns + KEEP_ALIVE_MS * NANOSECONDS_PER_MILLISECOND;
  while (pacer.posted < phase->messages || arrivals->deliveries < receivers * pacer.posted) {
    if (pacer.posted < phase->messages && pace_post(&pacer, load)) continue;
    uint64_t now_ns = clock_now_ns();
    if (now_ns >= keep_alive_ns) {
      connections_keep_alive(&load->connections);
      keep_alive_ns = now_ns + KEEP_ALIVE_MS * NANOSECONDS_PER_MILLISECOND;
    }
    uint64_t due_ns = pace_due_ns(&pacer);
    bool is_due = pacer.posted < phase->messages && now_ns >= due_ns;
    if (is_due || arrivals->deliveries < receivers * pacer.posted) {
      pace_take(load);
    } else {
      uint64_t look_ns = now_ns + LOOK_MS * NANOSECONDS_PER_MILLISECOND;
      load_serve(load, due_ns < look_ns ? due_ns : look_ns);
      progress.last_ns = clock_now_ns();
    }
    result->is_stalled = !load->connections.ready || pace_is_stalled(load, &progress);
    if (result->is_stalled) break;
  }
  result->posted = pacer.posted;
}

void posting_posts(struct load *load, const struct phase *phase, struct phase_result *result) {
  struct poster *poster = &load->poster;
  struct progress progress = {.last_ns = clock_now_ns()};
  while (result->posted < phase->messages || poster->unanswered) {
    while (result->posted < phase->messages && poster->unanswered < (int)phase->outstanding_max &&
           poster_is_free(poster)) {
      load_post(load, clock_now_ns());
      result->posted += (uint32_t)load->options->post_batch;
    }
    load_serve(load, clock_now_ns() + LOOK_MS * NANOSECONDS_PER_MILLISECOND);
    if ((result->is_stalled = pace_is_stalled(load, &progress))) return;
  }
}
