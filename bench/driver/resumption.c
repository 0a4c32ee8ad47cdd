#include "resumption.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"

#define STATE_TARGET "\"target\":\"ChannelState\""
#define CLOSE_START "{\"type\":7"
#define MAY_RETURN "\"allowReconnect\":true"

/** What stands behind this name; NULL where it is not in the message. */
static const char *after(const char *message, size_t length, const char *name) {
  const char *found = memmem(message, length, name, strlen(name));
  return found ? found + strlen(name) : NULL;
}

/** Copies a JSON text without its end quote; false where it does not fit or does not end. */
static bool copy_text(char *out, size_t size, const char *text, const char *end) {
  const char *quote = memchr(text, '"', (size_t)(end - text));
  if (!quote || (size_t)(quote - text) >= size) return false;
  memcpy(out, text, (size_t)(quote - text));
  out[quote - text] = 0;
  return true;
}

/** `ChannelState {"epoch":"…","offset":7,"recovered":true}`; false where it is none. */
static bool take_state(struct connections *connections, struct connection *connection, const char *message,
                       size_t length) {
  struct resumption *resumption = connection->resumption;
  char epoch[POSITION_BYTES_MAX - 24];
  const char *epoch_text = after(message, length, "\"epoch\":\"");
  const char *offset_text = after(message, length, "\"offset\":");
  if (!epoch_text || !offset_text || !copy_text(epoch, sizeof epoch, epoch_text, message + length)) return false;
  snprintf(resumption->position, sizeof resumption->position, "%s:%llu", epoch, strtoull(offset_text, NULL, 10));
  resumption->is_caught_up = true;
  if (after(message, length, "\"recovered\":false")) {
    resumption->has_gap = true;
    resumption->excused_before = connections->arrivals.end;
  }
  return true;
}

static void on_message(void *context, const char *message, size_t length) {
  struct taking *taking = context;
  struct connection *connection = taking->connection;
  struct resumption *resumption = connection->resumption;
  if (length >= strlen(CLOSE_START) && !memcmp(message, CLOSE_START, strlen(CLOSE_START))) {
    resumption->is_told_to_stay_away = !after(message, length, MAY_RETURN);
    return;
  }
  if (after(message, length, STATE_TARGET)) {
    if (!take_state(taking->connections, connection, message, length)) taking->connections->arrivals.wrong++;
    return;
  }
  const char *position = after(message, length, "\"Position\":\"");
  if (position) copy_text(resumption->position, sizeof resumption->position, position, message + length);
  struct stamp_rest rest = {0};
  stamp_find(&rest, message, length, connection_enter_stamp, taking);
}

void resumption_take(struct connections *connections, struct connection *connection, const char *bytes, size_t length,
                     bool is_frame_end) {
  struct taking taking = connection_begin_taking(connections, connection, length);
  bool is_fine = message_cut_read(&connection->resumption->rest, CUT_AT_SEPARATORS, bytes, length, is_frame_end,
                                  on_message, &taking);
  if (!is_fine) connection_give_up(connections, connection, "protocol", "a message is too long");
}

void resumption_begin_stream(struct resumption *resumption) {
  resumption->rest.length = 0;
  resumption->is_caught_up = false;
}

void resumption_begin_phase(struct resumption *resumption) {
  resumption->has_gap = false;
  resumption->excused_before = 0;
}
