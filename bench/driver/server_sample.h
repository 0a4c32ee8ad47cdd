// CPU time and memory of the server process, as the kernel counts them.
#ifndef SERVER_SAMPLE_H
#define SERVER_SAMPLE_H

struct server_sample {
  double cpu_s;    // all threads, to the nanosecond (schedstat)
  double user_s;   // in clock ticks
  double system_s;
  double rss_bytes;
  double rss_peak_bytes;
};

/** All zero where there is no such process. */
struct server_sample server_sample_take(int pid);

#endif
