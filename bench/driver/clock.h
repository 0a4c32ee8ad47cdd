// The one clock of the driver: stamps, deadlines and CPU sampling all use it.
#ifndef CLOCK_H
#define CLOCK_H
#include <stdint.h>
#include <time.h>

#define NANOSECONDS_PER_SECOND 1000000000ull
#define NANOSECONDS_PER_MILLISECOND 1000000ull

static inline uint64_t clock_now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)time.tv_nsec;
}

#endif
