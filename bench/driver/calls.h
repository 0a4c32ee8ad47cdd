// Calls: each client sends a text with an id, waits for the answer, and calls again. Each answer is held against its
// call: the id, the text, and that it comes once. Ids have eight digits, so that calls and answers are always of the
// same length.
#ifndef CALLS_H
#define CALLS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message_cut.h"

#define CALLS_OUTSTANDING_MAX 256 // of one connection
#define CALL_BYTES_MAX 1024

struct connections;
struct connection;
struct options;

/** The calls of one connection, numbered from 0 over all phases. */
struct caller {
  uint32_t made;
  uint32_t end;         // the phase's last call has the number before
  uint32_t outstanding; // of those made
  struct message_rest rest;
};

struct calls {
  bool is_calling; // in this phase
  uint32_t outstanding_max;
  char *frames; // what is being sent
  size_t frames_size;
};

void calls_prepare(struct calls *calls, const struct options *options);
/** Begins a phase in which each connection makes so many calls. */
void calls_begin(struct connections *connections, uint32_t calls_each, uint32_t outstanding_max);
/** Sends as many as may be outstanding, in one write. */
void calls_send_next(struct connections *connections, struct connection *connection);
/** Takes the next bytes of a frame's payload. */
void calls_take(struct connections *connections, struct connection *connection, const char *bytes, size_t length,
                bool is_frame_end);

#endif
