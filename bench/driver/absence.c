#include "absence.h"

#include "clock.h"
#include "pace.h"
#include "posting.h"

#define LOOK_MS 5

static void look(struct load *load) {
  load_serve(load, clock_now_ns() + LOOK_MS * NANOSECONDS_PER_MILLISECOND);
}

static bool all_are_back(const struct connections *connections) {
  if (connections->away || connections->on_their_way) return false;
  for (int i = 0; i < connections->started; i++) {
    const struct connection *connection = &connections->all[i];
    if (connection->state == READY && !connection->resumption->is_caught_up) return false;
  }
  return true;
}

static void wait_until_complete(struct load *load, struct phase_result *result) {
  struct progress progress = {.last_ns = clock_now_ns()};
  while (connections_missing(&load->connections).unfinished) {
    look(load);
    if ((result->is_stalled = pace_is_stalled(load, &progress))) return;
  }
}

static void post_what_all_miss(struct load *load, const struct phase *phase, struct phase_result *result) {
  struct poster *poster = &load->poster;
  struct progress progress = {.last_ns = clock_now_ns()};
  while (result->posted < phase->messages || poster->unanswered) {
    if (result->posted < phase->messages && poster_is_free(poster)) {
      load_post(load, clock_now_ns());
      result->posted++;
    }
    look(load);
    if ((result->is_stalled = pace_is_stalled(load, &progress))) return;
  }
  // From here on the answers are those of a server to which all come back.
  histogram_clear(&poster->answer_ns);
}

void absence_cut(struct load *load, const struct phase *phase, struct phase_result *result) {
  struct connections *connections = &load->connections;
  connections_cut(connections);
  post_what_all_miss(load, phase, result);
  if (result->is_stalled) return;
  uint64_t start_ns = clock_now_ns();
  struct pacer pacer = pace_begin(phase->per_second);
  struct progress progress = {.last_ns = start_ns};
  connections->is_returning = true;
  while (!all_are_back(connections) && !result->is_stalled) {
    while (pace_post(&pacer, load)) {}
    look(load);
    result->is_stalled = pace_is_stalled(load, &progress);
  }
  result->posted += pacer.posted;
  if (!result->is_stalled) wait_until_complete(load, result);
  result->return_s = (double)(clock_now_ns() - start_ns) / 1e9;
  connections->is_returning = false;
}

void absence_slow(struct load *load, const struct phase *phase, struct phase_result *result) {
  struct connections *connections = &load->connections;
  uint64_t reading = connections_receiving(connections) - (uint64_t)load->options->slow;
  connections->counts_slow_apart = true;
  connections_let_slow_read(connections, false);
  posting_rate(load, phase, reading, result);
  uint64_t start_ns = clock_now_ns();
  connections->is_returning = load->options->keeps_position;
  connections_let_slow_read(connections, true);
  if (!result->is_stalled) wait_until_complete(load, result);
  result->return_s = (double)(clock_now_ns() - start_ns) / 1e9;
  connections->is_returning = false;
}
