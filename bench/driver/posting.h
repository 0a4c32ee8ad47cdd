// The phases in which messages are posted to clients that are there.
#ifndef POSTING_H
#define POSTING_H
#include "phase.h"

/** Each runs to its end, or until it is stalled. */
void posting_burst(struct load *load, const struct phase *phase, struct phase_result *result);
/** Waits for the deliveries of `receivers` connections. */
void posting_rate(struct load *load, const struct phase *phase, uint64_t receivers, struct phase_result *result);
/** Posts, and waits for the answers only. */
void posting_posts(struct load *load, const struct phase *phase, struct phase_result *result);

#endif
