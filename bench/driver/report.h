// The driver's answer: one line of JSON.
#ifndef REPORT_H
#define REPORT_H
#include "load.h"
#include "phase.h"
#include "server_sample.h"

/** How the connecting went and what the connections weigh. */
struct opening {
  double wall_s;
  double server_cpu_s;
  double rss_before_bytes;
  double rss_idle_bytes;
};

void report_opening(const struct load *load, const struct opening *opening);
void report_phase(const struct load *load, const char *name, const struct phase_result *result, bool is_first);
void report_end(const struct load *load);

#endif
