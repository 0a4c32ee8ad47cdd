// The events of a text/event-stream (HTML, "Server-sent events"): the data of each, once its blank line has come, as a
// page gets it.
#ifndef EVENT_STREAM_H
#define EVENT_STREAM_H
#include <stdbool.h>
#include <stddef.h>

/** Where one stream stands; all zero at its start. */
struct event_stream {
  char *text;         // the data of the event so far, then the line that is being read
  size_t size;
  size_t length;
  size_t data_length;
  bool has_data;
};

typedef void event_found(void *context, const char *data, size_t length);

/** Calls `found` for each event that ends in these next bytes of the stream. */
void event_stream_read(struct event_stream *stream, const char *bytes, size_t length, event_found *found,
                       void *context);

#endif
