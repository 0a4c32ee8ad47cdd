// The phases in which clients are away for a while, or do not read: they have to get what they have missed.
#ifndef ABSENCE_H
#define ABSENCE_H
#include "phase.h"

/** All are cut off at once, messages are posted, and all come back together while others are. */
void absence_cut(struct load *load, const struct phase *phase, struct phase_result *result);
/** Messages are posted at a steady rate while the slow ones do not read; then they do. */
void absence_slow(struct load *load, const struct phase *phase, struct phase_result *result);

#endif
