// One measured stretch of a run: a burst, a steady rate, silence, calls, posts or an absence.
#ifndef PHASE_H
#define PHASE_H
#include <stdbool.h>
#include <stdint.h>

#include "load.h"

enum phase_kind { BURST, RATE, IDLE, CALLS, POSTS, CUT_OFF, SLOW };

struct phase {
  enum phase_kind kind;
  uint32_t messages;        // CALLS: of each connection; CUT_OFF: what all miss
  uint32_t outstanding_max; // BURST: posted but not yet with everybody; CALLS: of one connection, not yet answered;
                            // POSTS: requests that are not answered
  double per_second;        // RATE, SLOW; CUT_OFF: posts while they come back
  double seconds;           // IDLE
};

struct phase_result {
  uint32_t posted;   // CALLS: by each connection
  uint64_t expected; // deliveries
  struct missing missing;
  double wall_s;     // from the first post to the last delivery
  double return_s;   // CUT_OFF, SLOW: from the moment at which they come back, or read, until all have everything
  double server_cpu_s;
  double server_user_s;
  double server_system_s;
  double server_rss_bytes;
  double server_rss_peak_bytes; // since the server began
  double driver_cpu_s;
  bool is_stalled;   // nothing came any more although something was due
};

/** Reads `burst:M:W`, `rate:R:T`, `idle:T`, `calls:M:W`, `posts:M:W`, `cut:M:R` or `slow:R:T`; false where it is none of these. */
bool phase_read(const char *text, struct phase *phase);
/** Runs it. Doubled, late and out-of-order messages stand in the arrivals of the load's connections afterwards. */
struct phase_result phase_run(struct load *load, const struct phase *phase);

#endif
