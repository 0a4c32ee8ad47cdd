// What the phases share: when to look, when to give up, when a post is due.
#ifndef PACE_H
#define PACE_H
#include <stdbool.h>
#include <stdint.h>

#include "load.h"

/** Sees whether anything still comes. */
struct progress {
  uint64_t seen;
  uint64_t last_ns;
};

/** True where nothing has come for `stall_ms`, or can come any more. */
bool pace_is_stalled(const struct load *load, struct progress *progress);
/** Takes what has come of messages that are outstanding. */
void pace_take(struct load *load);

/** Posts at a steady rate. */
struct pacer {
  uint64_t start_ns;
  uint64_t interval_ns;
  uint32_t posted;
};

struct pacer pace_begin(double per_second);
uint64_t pace_due_ns(const struct pacer *pacer);
/** Posts the message that is due, if one is and the poster is free. */
bool pace_post(struct pacer *pacer, struct load *load);

#endif
