// Posts messages to the server: lines on a plain TCP connection, or HTTP POSTs on one that is kept alive. One
// connection, so that the order of posting is certain; for HTTP one request at a time, or a few in a pipeline.
#ifndef POSTER_H
#define POSTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_reader.h"
#include "options.h"
#include "stamp.h"

#define REFUSAL_BYTES_MAX 160

struct poster {
  const struct options *options;
  int epoll;
  uint64_t event;       // what epoll says when the poster's socket has something
  int fd;               // -1: not connected
  int unanswered;       // HTTP requests
  char *request;        // the same for every message but for its stamp
  size_t request_bytes;
  size_t stamp_offset;
  uint64_t refused;     // posts that were not answered with 2xx
  char first_refusal[REFUSAL_BYTES_MAX];
  struct http_reader http;
};

void poster_prepare(struct poster *poster, const struct options *options, int epoll, uint64_t event);
bool poster_is_free(const struct poster *poster);
void poster_post(struct poster *poster, struct stamp stamp);
void poster_on_event(struct poster *poster);

#endif
