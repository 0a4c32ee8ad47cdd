#include "http_response.h"

#include <stdlib.h>
#include <string.h>

/** The value of a header field, NULL where it is not there; the search ends at the end of the head. */
static const char *field_value(const char *head, const char *head_end, const char *name) {
  const char *field = strcasestr(head, name);
  return field && field < head_end ? field + strlen(name) : NULL;
}

static bool is_chunked_body_complete(const char *body, const char *end) {
  while (body < end) {
    char *line_end;
    unsigned long chunk_bytes = strtoul(body, &line_end, 16);
    const char *data = strstr(line_end, "\r\n");
    if (!data) return false;
    if (!chunk_bytes) return strstr(data, "\r\n\r\n") != NULL;
    if ((unsigned long)(end - data) < chunk_bytes + 4) return false;
    body = data + 2 + chunk_bytes + 2;
  }
  return false;
}

struct http_response http_response_read(const char *bytes, size_t length) {
  const char *head_end = strstr(bytes, "\r\n\r\n");
  if (!head_end || length < 12) return (struct http_response){0};
  const char *body = head_end + 4;
  struct http_response response = {.is_complete = true, .status = atoi(bytes + 9)};
  const char *body_bytes = field_value(bytes, head_end, "\r\ncontent-length:");
  const char *coding = field_value(bytes, head_end, "\r\ntransfer-encoding:");
  if (body_bytes) response.is_complete = (size_t)(bytes + length - body) >= strtoul(body_bytes, NULL, 10);
  else if (coding) response.is_complete = is_chunked_body_complete(body, bytes + length);
  return response;
}
