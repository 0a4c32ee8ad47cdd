#include "pace.h"

#include <time.h>

#include "clock.h"

#define LOOK_MS 10

bool pace_is_stalled(const struct load *load, struct progress *progress) {
  const struct connections *connections = &load->connections;
  uint64_t now_ns = clock_now_ns();
  uint64_t seen = connections->arrivals.deliveries + connections->slow_arrivals.deliveries +
                  (uint64_t)connections->ready + load->poster.answered;
  if (seen != progress->seen) *progress = (struct progress){seen, now_ns};
  // What was refused never comes.
  if (load->poster.refused) return true;
  return now_ns - progress->last_ns > (uint64_t)load->options->stall_ms * NANOSECONDS_PER_MILLISECOND;
}

/**
 * Naps instead of waiting for a socket: each of the server's sends would have to wake the driver otherwise, which takes
 * CPU time of the server and holds up its other clients.
 */
void pace_take(struct load *load) {
  struct timespec nap = {.tv_nsec = load->options->nap_us * 1000l};
  if (nap.tv_nsec) clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
  load_serve(load, nap.tv_nsec ? 0 : clock_now_ns() + LOOK_MS * NANOSECONDS_PER_MILLISECOND);
}

struct pacer pace_begin(double per_second) {
  return (struct pacer){.start_ns = clock_now_ns(), .interval_ns = (uint64_t)(NANOSECONDS_PER_SECOND / per_second)};
}

uint64_t pace_due_ns(const struct pacer *pacer) {
  return pacer->start_ns + pacer->posted * pacer->interval_ns;
}

/**
 * Stamps the message with the time at which it was due, not at which the poster got round to it, so that a server that
 * is slow to answer does not shorten its own latencies.
 */
bool pace_post(struct pacer *pacer, struct load *load) {
  uint64_t due_ns = pace_due_ns(pacer);
  if (clock_now_ns() < due_ns || !poster_is_free(&load->poster)) return false;
  load_post(load, due_ns);
  pacer->posted++;
  return true;
}
