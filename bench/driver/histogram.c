#include "histogram.h"

#include <math.h>
#include <string.h>

#define STEPS (1u << HISTOGRAM_STEP_BITS)

static int slot_of(uint64_t value) {
  if (value < STEPS) return (int)value;
  int shift = 63 - __builtin_clzll(value) - HISTOGRAM_STEP_BITS;
  return ((shift + 1) << HISTOGRAM_STEP_BITS) + (int)((value >> shift) & (STEPS - 1));
}

static uint64_t value_of(int slot) {
  if (slot < (int)STEPS) return (uint64_t)slot;
  int shift = (slot >> HISTOGRAM_STEP_BITS) - 1;
  return (uint64_t)(STEPS | ((unsigned)slot & (STEPS - 1))) << shift;
}

void histogram_clear(struct histogram *histogram) {
  memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, uint64_t value) {
  histogram->slots[slot_of(value)]++;
  histogram->count++;
  if (value > histogram->max) histogram->max = value;
}

uint64_t histogram_at(const struct histogram *histogram, double share) {
  uint64_t wanted = (uint64_t)ceil(share * (double)histogram->count);
  uint64_t passed = 0;
  for (int slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
    passed += histogram->slots[slot];
    if (passed && passed >= wanted) return value_of(slot);
  }
  return 0;
}
