// Latencies, log-linear: 128 steps for each power of two, so a percentile is off by less than 0.8 %.
#ifndef HISTOGRAM_H
#define HISTOGRAM_H
#include <stdint.h>

#define HISTOGRAM_STEP_BITS 7
#define HISTOGRAM_SLOTS (64 << HISTOGRAM_STEP_BITS)

struct histogram {
  uint64_t count;
  uint64_t max;
  uint32_t slots[HISTOGRAM_SLOTS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/** The smallest recorded step that at least `share` (0 to 1) of the values do not exceed; 0 where there is none. */
uint64_t histogram_at(const struct histogram *histogram, double share);

#endif
