#include "calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_text.h"
#include "clock.h"
#include "connections.h"

#define ID_BYTES 8
// Of these no digit is a leading zero: a server may read an id as a number and write it again.
#define FIRST_ID 10000000u

static size_t form_bytes(const struct options *options, const struct call_form *form) {
  return form->before.length + ID_BYTES + form->between.length + (size_t)options->payload_bytes + form->after.length;
}

void calls_prepare(struct calls *calls, const struct options *options) {
  *calls = (struct calls){0};
  if (!options->call.before.data) return;
  calls->frames_size = (size_t)CALLS_OUTSTANDING_MAX * (form_bytes(options, &options->call) + FRAME_HEADER_BYTES_MAX);
  calls->frames = malloc(calls->frames_size);
  if (calls->frames) return;
  fprintf(stderr, "driver: out of memory\n");
  exit(1);
}

void calls_begin(struct connections *connections, uint32_t calls_each, uint32_t outstanding_max) {
  connections->calls.is_calling = true;
  connections->calls.outstanding_max = outstanding_max;
  for (int i = 0; i < connections->started; i++) {
    struct connection *connection = &connections->all[i];
    struct caller *caller = connection->caller;
    // What an earlier phase has lost does not come any more, and is not waited for.
    caller->outstanding = 0;
    caller->end = caller->made + calls_each;
    ledger_begin(&connection->ledger, caller->made);
  }
}

static char *copy(char *out, struct bytes bytes) {
  return (char *)memcpy(out, bytes.data, bytes.length) + bytes.length;
}

/** Writes the call with this number; says how long it is. */
static size_t write_call(const struct options *options, char *out, uint32_t connection, uint32_t number) {
  char id[ID_BYTES + 1];
  snprintf(id, sizeof id, "%08u", (FIRST_ID + number) % (10 * FIRST_ID));
  char *at = copy(out, options->call.before);
  at = copy(at, (struct bytes){.data = id, .length = ID_BYTES});
  at = copy(at, options->call.between);
  call_text_write(at, (size_t)options->payload_bytes, connection, (struct stamp){number, clock_now_ns()});
  at = copy(at + options->payload_bytes, options->call.after);
  return (size_t)(at - out);
}

void calls_send_next(struct connections *connections, struct connection *connection) {
  struct calls *calls = &connections->calls;
  struct caller *caller = connection->caller;
  const struct options *options = connections->options;
  enum opcode opcode = options->call.before.is_binary ? OP_BINARY : OP_TEXT;
  char call[CALL_BYTES_MAX];
  size_t length = 0;
  while (calls->is_calling && caller->made < caller->end && caller->outstanding < calls->outstanding_max) {
    size_t call_bytes = write_call(options, call, connection_index(connections, connection), caller->made++);
    length += frame_write(calls->frames + length, opcode, call, call_bytes);
    caller->outstanding++;
  }
  if (length) connection_send(connections, connection, MAIN_LANE, calls->frames, length);
}

/** Reads an answer; false where it is not, byte for byte, what answers the call that its text names. */
static bool read_answer(const struct options *options, uint32_t connection, const char *message, size_t length,
                        struct stamp *stamp) {
  const struct call_form *form = &options->answer;
  if (length != form_bytes(options, form)) return false;
  const char *id = message + form->before.length;
  const char *between = id + ID_BYTES;
  const char *text = between + form->between.length;
  const char *after = text + options->payload_bytes;
  if (memcmp(between, form->between.data, form->between.length) != 0) return false;
  if (memcmp(after, form->after.data, form->after.length) != 0) return false;
  if (!call_text_read(text, (size_t)options->payload_bytes, connection, stamp)) return false;
  char digits[ID_BYTES + 1] = {0};
  memcpy(digits, id, ID_BYTES);
  char *end;
  return strtoul(digits, &end, 10) == FIRST_ID + stamp->number && end == digits + ID_BYTES;
}

static void on_message(void *context, const char *message, size_t length) {
  struct taking *taking = context;
  struct connection *connection = taking->connection;
  struct arrivals *arrivals = taking->arrivals;
  const struct options *options = taking->connections->options;
  // Pings and welcomes begin in another way.
  if (!bytes_start_with(message, length, options->answer.before)) return;
  struct stamp stamp;
  if (!read_answer(options, connection_index(taking->connections, connection), message, length, &stamp)) {
    arrivals->wrong++;
    return;
  }
  uint64_t deliveries = arrivals->deliveries;
  arrivals_enter(arrivals, &connection->ledger, connection->caller->made, stamp, taking->now_ns);
  if (arrivals->deliveries > deliveries) connection->caller->outstanding--;
}

void calls_take(struct connections *connections, struct connection *connection, const char *bytes, size_t length,
                bool is_frame_end) {
  struct taking taking = connection_begin_taking(connections, connection, length);
  bool is_fine = message_cut_read(&connection->caller->rest, connections->options->answer_cut, bytes, length,
                                  is_frame_end, on_message, &taking);
  if (!is_fine) connection_give_up(connections, connection, "protocol", "a message is too long");
}
