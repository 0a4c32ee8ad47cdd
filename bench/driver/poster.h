// Posts messages to the server: lines on a plain TCP connection, or HTTP POSTs on one that is kept alive. One
// connection and, for HTTP, one request at a time, so that the order of posting is certain.
#ifndef POSTER_H
#define POSTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "stamp.h"

#define RESPONSE_BYTES_MAX 65536
#define REFUSAL_BYTES_MAX 160

struct poster {
  const struct options *options;
  int epoll;
  uint32_t event_index; // what epoll says when the poster's socket has something
  int fd;               // -1: not connected
  bool is_waiting;      // for the answer to an HTTP request
  char *request;        // the same for every message but for its stamp
  size_t request_bytes;
  size_t stamp_offset;
  uint64_t refused;     // posts that were not answered with 2xx
  char first_refusal[REFUSAL_BYTES_MAX];
  size_t response_bytes;
  char response[RESPONSE_BYTES_MAX];
};

void poster_prepare(struct poster *poster, const struct options *options, int epoll, uint32_t event_index);
bool poster_is_free(const struct poster *poster);
void poster_post(struct poster *poster, struct stamp stamp);
void poster_on_event(struct poster *poster);

#endif
