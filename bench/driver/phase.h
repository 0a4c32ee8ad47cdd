// One measured stretch of a run: a burst, a steady rate, silence, or calls.
#ifndef PHASE_H
#define PHASE_H
#include <stdbool.h>
#include <stdint.h>

#include "load.h"

enum phase_kind { BURST, RATE, IDLE, CALLS };

struct phase {
  enum phase_kind kind;
  uint32_t messages;        // CALLS: of each connection
  uint32_t outstanding_max; // BURST: posted but not yet with everybody; CALLS: of one connection, not yet answered
  double per_second;        // RATE
  double seconds;           // IDLE
};

struct phase_result {
  uint32_t posted;   // CALLS: by each connection
  uint64_t expected; // deliveries
  uint64_t lost;
  double wall_s;     // from the first post to the last delivery
  double server_cpu_s;
  double server_user_s;
  double server_system_s;
  double server_rss_bytes;
  double driver_cpu_s;
  bool is_stalled;   // nothing came any more although something was due
};

/** Reads `burst:M:W`, `rate:R:T`, `idle:T` or `calls:M:W`; false where it is none of these. */
bool phase_read(const char *text, struct phase *phase);
/** Runs it. Doubled, late and out-of-order messages stand in the arrivals of the load's connections afterwards. */
struct phase_result phase_run(struct load *load, const struct phase *phase);

#endif
