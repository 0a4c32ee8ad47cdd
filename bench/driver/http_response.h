// The little of HTTP/1.1 that the poster needs: when is an answer complete, and what is its status?
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H
#include <stdbool.h>
#include <stddef.h>

struct http_response {
  bool is_complete;
  int status;
};

/** Looks at what has come so far of one answer; the bytes end with a NUL. */
struct http_response http_response_read(const char *bytes, size_t length);

#endif
