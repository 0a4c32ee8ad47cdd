// HTTP/1.1 responses, one after another on a connection that is kept alive: read as they come, in any cut.
#ifndef HTTP_READER_H
#define HTTP_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINE_BYTES_MAX 256 // what is longer is cut; the few fields that matter are shorter
#define HTTP_STATUS_LINE_BYTES_MAX 80
#define HTTP_ACCEPT_BYTES_MAX 32
#define HTTP_START_BYTES_MAX 16

enum http_state {
  HTTP_STATUS_LINE,
  HTTP_FIELDS,
  HTTP_BODY,
  HTTP_CHUNK_SIZE,
  HTTP_CHUNK,
  HTTP_CHUNK_END,
  HTTP_TRAILER,
};

/** Where one stream of responses stands; all zero at its start. */
struct http_reader {
  enum http_state state;
  int status;
  bool has_length;
  bool is_chunked;
  uint64_t left; // of the body, or of the chunk
  uint16_t line_length;
  uint8_t start_length;
  char line[HTTP_LINE_BYTES_MAX];
  char status_line[HTTP_STATUS_LINE_BYTES_MAX];
  char accept[HTTP_ACCEPT_BYTES_MAX]; // Sec-WebSocket-Accept
  char start[HTTP_START_BYTES_MAX];   // how the body begins
};

/** What one step of reading has found. */
struct http_part {
  const char *body; // a piece of the body
  size_t length;
  bool is_head_end; // status and fields are known
  bool is_end;      // the response ends here
  bool is_broken;   // this is no HTTP
};

/** Reads one step, at most to the end of the current response; says how many bytes it took. */
size_t http_read(struct http_reader *reader, const char *bytes, size_t length, struct http_part *part);

#endif
