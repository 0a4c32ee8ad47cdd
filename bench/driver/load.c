#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "clock.h"

#define EVENTS_MAX 1024
#define POSTER_EVENT UINT64_MAX

void load_prepare(struct load *load, const struct options *options) {
  load->options = options;
  load->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (load->epoll < 0) {
    perror("driver: epoll_create1");
    exit(1);
  }
  connections_prepare(&load->connections, options, load->epoll);
  poster_prepare(&load->poster, options, load->epoll, POSTER_EVENT);
}

void load_connect(struct load *load) {
  struct connections *connections = &load->connections;
  uint64_t deadline_ns = clock_now_ns() + (uint64_t)load->options->connect_timeout_ms * NANOSECONDS_PER_MILLISECOND;
  while (connections->ready + connections->failed < load->options->connections) {
    uint64_t now_ns = clock_now_ns();
    if (now_ns >= deadline_ns) break;
    connections_start_some(connections);
    load_serve(load, now_ns + 50 * NANOSECONDS_PER_MILLISECOND);
  }
}

/** Whole milliseconds that epoll may sleep: rounded down, so that a deadline is met by looking again, not missed. */
static int sleep_ms(uint64_t until_ns) {
  uint64_t now_ns = clock_now_ns();
  return until_ns > now_ns ? (int)((until_ns - now_ns) / NANOSECONDS_PER_MILLISECOND) : 0;
}

void load_serve(struct load *load, uint64_t until_ns) {
  static struct epoll_event events[EVENTS_MAX];
  if (load->connections.is_returning) connections_return_some(&load->connections);
  int count = epoll_wait(load->epoll, events, EVENTS_MAX, sleep_ms(until_ns));
  for (int i = 0; i < count; i++) {
    uint64_t event = events[i].data.u64;
    if (event == POSTER_EVENT) poster_on_event(&load->poster);
    else connections_on_event(&load->connections, (uint32_t)(event / LANES), (enum lane_name)(event % LANES));
  }
}

void load_serve_for_ms(struct load *load, int time_ms) {
  uint64_t until_ns = clock_now_ns() + (uint64_t)time_ms * NANOSECONDS_PER_MILLISECOND;
  while (clock_now_ns() < until_ns) load_serve(load, until_ns);
}

void load_post(struct load *load, uint64_t posted_ns) {
  uint32_t messages = (uint32_t)load->options->post_batch;
  load->connections.arrivals.end = load->next_number + messages;
  poster_post(&load->poster, (struct stamp){load->next_number, posted_ns});
  load->next_number += messages;
}
