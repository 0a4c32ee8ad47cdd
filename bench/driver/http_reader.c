#include "http_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Takes what belongs to the current line; true where it ends, and `reader->line` is the whole of it. */
static bool read_line(struct http_reader *reader, const char *bytes, size_t length, size_t *taken) {
  const char *newline = memchr(bytes, '\n', length);
  *taken = newline ? (size_t)(newline - bytes) + 1 : length;
  size_t room = HTTP_LINE_BYTES_MAX - 1u - reader->line_length;
  size_t kept = *taken < room ? *taken : room;
  memcpy(reader->line + reader->line_length, bytes, kept);
  reader->line_length += (uint16_t)kept;
  if (!newline) return false;
  reader->line[reader->line_length] = 0;
  reader->line[strcspn(reader->line, "\r\n")] = 0;
  reader->line_length = 0;
  return true;
}

static void begin_response(struct http_reader *reader, struct http_part *part) {
  part->is_broken = sscanf(reader->line, "HTTP/1.%*1d %3d", &reader->status) != 1;
  snprintf(reader->status_line, HTTP_STATUS_LINE_BYTES_MAX, "%.*s", HTTP_STATUS_LINE_BYTES_MAX - 1, reader->line);
  reader->has_length = reader->is_chunked = false;
  reader->left = 0;
  reader->start_length = 0;
  reader->accept[0] = 0;
  reader->state = HTTP_FIELDS;
}

/** The value of the line's field, NULL where it is another field. */
static const char *field_value(const struct http_reader *reader, const char *name) {
  size_t length = strlen(name);
  if (strncasecmp(reader->line, name, length) != 0) return NULL;
  return reader->line + length + strspn(reader->line + length, " \t");
}

static void read_field(struct http_reader *reader) {
  const char *value;
  if ((value = field_value(reader, "content-length:"))) {
    reader->has_length = true;
    reader->left = strtoull(value, NULL, 10);
  } else if ((value = field_value(reader, "transfer-encoding:"))) {
    reader->is_chunked = strcasestr(value, "chunked") != NULL;
  } else if ((value = field_value(reader, "sec-websocket-accept:"))) {
    snprintf(reader->accept, HTTP_ACCEPT_BYTES_MAX, "%.*s", HTTP_ACCEPT_BYTES_MAX - 1, value);
  }
}

static void end_head(struct http_reader *reader, struct http_part *part) {
  part->is_head_end = true;
  bool is_without_body = reader->status < 200 || reader->status == 204 || reader->status == 304;
  if (reader->is_chunked && !is_without_body) {
    reader->state = HTTP_CHUNK_SIZE;
  } else if (!is_without_body && (!reader->has_length || reader->left)) {
    // Without a length the body goes on until the server closes.
    if (!reader->has_length) reader->left = UINT64_MAX;
    reader->state = HTTP_BODY;
  } else {
    reader->state = HTTP_STATUS_LINE;
    part->is_end = true;
  }
}

static size_t read_body(struct http_reader *reader, const char *bytes, size_t length, struct http_part *part) {
  part->body = bytes;
  part->length = length < reader->left ? length : (size_t)reader->left;
  reader->left -= part->length;
  size_t room = HTTP_START_BYTES_MAX - (size_t)reader->start_length;
  size_t kept = part->length < room ? part->length : room;
  memcpy(reader->start + reader->start_length, bytes, kept);
  reader->start_length += (uint8_t)kept;
  return part->length;
}

static void begin_chunk(struct http_reader *reader, struct http_part *part) {
  char *end;
  reader->left = strtoull(reader->line, &end, 16);
  part->is_broken = end == reader->line;
  reader->state = reader->left ? HTTP_CHUNK : HTTP_TRAILER;
}

static void on_line(struct http_reader *reader, struct http_part *part) {
  switch (reader->state) {
    case HTTP_STATUS_LINE:
      begin_response(reader, part);
      return;
    case HTTP_FIELDS:
      if (reader->line[0]) read_field(reader);
      else end_head(reader, part);
      return;
    case HTTP_CHUNK_SIZE:
      begin_chunk(reader, part);
      return;
    case HTTP_CHUNK_END:
      part->is_broken = reader->line[0] != 0;
      reader->state = HTTP_CHUNK_SIZE;
      return;
    case HTTP_TRAILER:
      if (reader->line[0]) return;
      reader->state = HTTP_STATUS_LINE;
      part->is_end = true;
      return;
    case HTTP_BODY:
    case HTTP_CHUNK:
      return; // these are not read in lines
  }
}

size_t http_read(struct http_reader *reader, const char *bytes, size_t length, struct http_part *part) {
  *part = (struct http_part){0};
  size_t taken;
  if (reader->state == HTTP_BODY || reader->state == HTTP_CHUNK) {
    taken = read_body(reader, bytes, length, part);
    if (reader->left) return taken;
    part->is_end = reader->state == HTTP_BODY;
    reader->state = reader->state == HTTP_BODY ? HTTP_STATUS_LINE : HTTP_CHUNK_END;
    return taken;
  }
  if (read_line(reader, bytes, length, &taken)) on_line(reader, part);
  return taken;
}
