// The whole load: clients and poster on one epoll, and the only loop that waits.
#ifndef LOAD_H
#define LOAD_H
#include <stdbool.h>
#include <stdint.h>

#include "connections.h"
#include "options.h"
#include "poster.h"

struct load {
  const struct options *options;
  int epoll;
  uint32_t next_number; // of the message that is posted next
  struct connections connections;
  struct poster poster;
};

void load_prepare(struct load *load, const struct options *options);
/** Opens all connections; returns when each is ready or has failed, or when the time is up. */
void load_connect(struct load *load);
/** Serves what there is; waits for it until `until_ns` at most. */
void load_serve(struct load *load, uint64_t until_ns);
void load_serve_for_ms(struct load *load, int time_ms);
/** Posts the next message, or the next request full of them, as if it had been posted at `posted_ns`. */
void load_post(struct load *load, uint64_t posted_ns);

#endif
