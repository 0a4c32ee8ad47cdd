#include "event_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD "data:"

static void append(struct event_stream *stream, const char *bytes, size_t length) {
  if (stream->length + length > stream->size) {
    stream->size = 2 * (stream->length + length);
    stream->text = realloc(stream->text, stream->size);
    if (!stream->text) {
      fprintf(stderr, "driver: out of memory\n");
      exit(1);
    }
  }
  memcpy(stream->text + stream->length, bytes, length);
  stream->length += length;
}

/** Moves the line's data to that of the lines before. */
static void keep_data(struct event_stream *stream, size_t line_length) {
  const char *line = stream->text + stream->data_length;
  size_t skipped = strlen(FIELD) + (line_length > strlen(FIELD) && line[strlen(FIELD)] == ' ');
  // The line's field name makes the room for the line end between two lines.
  if (stream->has_data) stream->text[stream->data_length++] = '\n';
  memmove(stream->text + stream->data_length, line + skipped, line_length - skipped);
  stream->data_length += line_length - skipped;
  stream->has_data = true;
}

static void end_line(struct event_stream *stream, event_found *found, void *context) {
  const char *line = stream->text + stream->data_length;
  size_t line_length = stream->length - stream->data_length - 1;
  if (line_length && line[line_length - 1] == '\r') line_length--;
  if (!line_length) {
    if (stream->has_data) found(context, stream->text, stream->data_length);
    stream->data_length = 0;
    stream->has_data = false;
  } else if (line_length >= strlen(FIELD) && !memcmp(line, FIELD, strlen(FIELD))) {
    keep_data(stream, line_length);
  }
  stream->length = stream->data_length;
}

void event_stream_read(struct event_stream *stream, const char *bytes, size_t length, event_found *found,
                       void *context) {
  while (length) {
    const char *newline = memchr(bytes, '\n', length);
    size_t taken = newline ? (size_t)(newline - bytes) + 1 : length;
    append(stream, bytes, taken);
    if (newline) end_line(stream, found, context);
    bytes += taken;
    length -= taken;
  }
}
