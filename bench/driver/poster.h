// Posts messages to the server: lines on a plain TCP connection, or HTTP POSTs on one that is kept alive. One
// connection, so that the order of posting is certain; for HTTP one request at a time, or a few in a pipeline.
#ifndef POSTER_H
#define POSTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "http_reader.h"
#include "options.h"
#include "post_text.h"
#include "stamp.h"

#define REFUSAL_BYTES_MAX 160

struct poster {
  const struct options *options;
  int epoll;
  uint64_t event;      // what epoll says when the poster's socket has something
  int fd;              // -1: not connected
  int unanswered;      // HTTP requests
  uint64_t answered;   // since the phase began
  uint64_t *due_ns;    // of those that are not answered, a ring
  uint64_t next_due;   // place in the ring of the request that is posted next
  struct post_text text;
  uint64_t refused;    // posts that were not answered with 2xx
  char first_refusal[REFUSAL_BYTES_MAX];
  struct http_reader http;
  uint64_t receipts;   // positions in answers, since the phase began
  unsigned marked;     // characters of RECEIPT_MARK that the last answer's bytes ended with
  struct histogram answer_ns; // from the moment at which a post was due to its answer, since the phase began
};

void poster_prepare(struct poster *poster, const struct options *options, int epoll, uint64_t event);
void poster_begin_phase(struct poster *poster);
bool poster_is_free(const struct poster *poster);
/** Posts one request: the message with this stamp, and as many as there are in a request with the next numbers. */
void poster_post(struct poster *poster, struct stamp stamp);
void poster_on_event(struct poster *poster);

#endif
