// The load driver: opens connections, posts, checks what each connection receives, prints one line of JSON.
// Which options there are stands in options.c; how to read the figures, in ../README.md.
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"
#include "load.h"
#include "options.h"
#include "phase.h"
#include "report.h"
#include "server_sample.h"

#define FILES_BESIDES_CONNECTIONS 32

static void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set)) perror("driver: not pinned to its core");
}

static void raise_file_limit(const struct options *options) {
  int connections = options->connections;
  struct rlimit limit;
  // A client that is on its way may have a second socket.
  rlim_t needed = (rlim_t)connections + (rlim_t)options->connecting_max + FILES_BESIDES_CONNECTIONS;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= needed) return;
  fprintf(stderr, "driver: %d connections need %lu open files, the limit is %lu (ulimit -Hn)\n", connections,
          (unsigned long)needed, (unsigned long)limit.rlim_max);
  exit(1);
}

/** Requests full of messages, in phases that end with one. */
static bool takes_batches(const struct options *options, const struct phase *phase) {
  uint32_t batch = (uint32_t)options->post_batch;
  if (phase->kind == POSTS) return phase->messages % batch == 0;
  return phase->kind == BURST && phase->messages % batch == 0 && phase->outstanding_max >= batch;
}

static void read_phases(const struct options *options, struct phase *phases) {
  for (int i = 0; i < options->phase_count; i++) {
    const char *text = options->phases[i];
    const char *problem = NULL;
    if (!phase_read(text, &phases[i])) problem = "is not a phase";
    else if (phases[i].kind == CALLS) problem = options->call.before.data ? NULL : "needs --call-before";
    else if (phases[i].kind != IDLE && options->post_way == POST_NOTHING) problem = "needs --post-raw or --post-http";
    else if (phases[i].kind == POSTS && options->post_way != POST_HTTP) problem = "needs --post-http";
    else if (options->post_batch > 1 && !takes_batches(options, &phases[i])) problem = "does not fit --post-batch";
    else if (phases[i].kind == CUT_OFF && !options->keeps_position) problem = "needs --keeps-position yes";
    if (!problem) continue;
    fprintf(stderr, "driver: %s %s\n", text, problem);
    exit(2);
  }
}

static struct opening open_all(struct load *load) {
  int pid = load->options->server_pid;
  struct server_sample before = server_sample_take(pid);
  uint64_t start_ns = clock_now_ns();
  load_connect(load);
  uint64_t end_ns = clock_now_ns();
  struct server_sample connected = server_sample_take(pid);
  load_serve_for_ms(load, load->options->settle_ms);
  return (struct opening){
      .wall_s = (double)(end_ns - start_ns) / 1e9,
      .server_cpu_s = connected.cpu_s - before.cpu_s,
      .rss_before_bytes = before.rss_bytes,
      .rss_idle_bytes = server_sample_take(pid).rss_bytes,
  };
}

int main(int count, char **words) {
  static struct options options;
  static struct load load;
  struct phase phases[PHASES_MAX];
  options_read(&options, count, words);
  read_phases(&options, phases);
  raise_file_limit(&options);
  if (options.cpu >= 0) pin_to(options.cpu);
  signal(SIGPIPE, SIG_IGN);

  load_prepare(&load, &options);
  struct opening opening = open_all(&load);
  report_opening(&load, &opening);
  for (int i = 0; i < options.phase_count; i++) {
    struct phase_result result = phase_run(&load, &phases[i]);
    report_phase(&load, options.phases[i], &result, i == 0);
  }
  report_end(&load);
}
