// The transport WebSocket: an upgrade, then messages in frames both ways. It needs no negotiation.
#include <stdio.h>
#include <string.h>

#include "connections.h"

#define TEXT_BYTES_MAX 1024
#define REQUEST_BYTES_MAX 2048
// The key of RFC 6455's own example, and the answer that proves that the server has understood it.
#define UPGRADE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/** `{n}` in the path stands for the client's number; a client that keeps its position says it. */
static int write_path(char *out, size_t size, const struct connections *connections,
                      const struct connection *connection) {
  const char *path = connections->options->path;
  const char *place = strstr(path, "{n}");
  int length = place ? snprintf(out, size, "%.*s%u%s", (int)(place - path), path,
                                connection_index(connections, connection), place + 3)
                     : snprintf(out, size, "%s", path);
  if (!connection->resumption || length >= (int)size) return length;
  return length + snprintf(out + length, size - (size_t)length, "%cposition=%s", strchr(path, '?') ? '&' : '?',
                           connection->resumption->position);
}

static void on_open(struct connections *connections, struct connection *connection, enum lane_name name) {
  const struct options *options = connections->options;
  char path[REQUEST_BYTES_MAX / 2];
  char request[REQUEST_BYTES_MAX];
  if (write_path(path, sizeof path, connections, connection) >= (int)sizeof path) {
    connection_give_up(connections, connection, "upgrade", "the path is too long");
    return;
  }
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: " UPGRADE_KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        path, options->port);
  connection_send(connections, connection, name, request, (size_t)length);
}

static void send_frame(struct connections *connections, struct connection *connection, enum opcode opcode,
                       const char *payload, size_t length) {
  char frame[TEXT_BYTES_MAX + FRAME_HEADER_BYTES_MAX];
  if (length > TEXT_BYTES_MAX) length = TEXT_BYTES_MAX;
  connection_send(connections, connection, MAIN_LANE, frame, frame_write(frame, opcode, payload, length));
}

static void send_bytes(struct connections *connections, struct connection *connection, struct bytes bytes) {
  send_frame(connections, connection, bytes.is_binary ? OP_BINARY : OP_TEXT, bytes.data, bytes.length);
}

static void greet(struct connections *connections, struct connection *connection) {
  connection->state = GREETING;
  const struct options *options = connections->options;
  if (options->hello.data) send_bytes(connections, connection, options->hello);
  if (!options->ready.data && connection->state == GREETING) connection_become_ready(connections, connection);
}

/** Reads the answer to the upgrade request; says how many of the bytes belong to it. */
static size_t read_response(struct connections *connections, struct connection *connection, const char *bytes,
                            size_t length) {
  struct http_reader *http = &connection->lanes[MAIN_LANE].http;
  size_t taken = 0;
  while (taken < length) {
    struct http_part part;
    taken += http_read(http, bytes + taken, length - taken, &part);
    if (part.is_broken) {
      connection_give_up(connections, connection, "upgrade", "the server does not speak HTTP");
      return length;
    }
    if (!part.is_head_end) continue;
    if (http->status != 101 || strcmp(http->accept, UPGRADE_ACCEPT) != 0) {
      if (connection->resumption) connection->resumption->is_told_to_stay_away = true;
      connection_give_up(connections, connection, "upgrade refused", http->status_line);
      return length;
    }
    greet(connections, connection);
    return taken;
  }
  return taken;
}

static bool is_whole_payload(const struct frame_reader *frames, struct bytes bytes) {
  return frames->payload_bytes == bytes.length && bytes_start_with(frames->start, frames->start_length, bytes);
}

static void on_frame_end(struct connections *connections, struct connection *connection) {
  const struct options *options = connections->options;
  const struct frame_reader *frames = &connection->frames;
  if (frames->opcode == OP_PING) {
    send_frame(connections, connection, OP_PONG, frames->start, frames->start_length);
  } else if (frames->opcode == OP_CLOSE) {
    int code = frames->start_length < 2 ? 1005 : (uint8_t)frames->start[0] << 8 | (uint8_t)frames->start[1];
    char detail[32];
    snprintf(detail, sizeof detail, "code %d", code);
    connection_give_up(connections, connection, "closed by the server", detail);
  } else if (connection->state == GREETING) {
    if (bytes_start_with(frames->start, frames->start_length, options->ready))
      connection_become_ready(connections, connection);
  } else if (options->ping_text.data && is_whole_payload(frames, options->ping_text)) {
    send_bytes(connections, connection, options->pong_text);
  }
}

static void take_payload(struct connections *connections, struct connection *connection,
                         const struct frame_part *part) {
  if (!part->length || connection->frames.opcode >= OP_CLOSE) return;
  if (connection->resumption)
    resumption_take(connections, connection, part->payload, part->length, part->is_end);
  else if (!connection->caller) connection_take_messages(connections, connection, part->payload, part->length);
  else if (connection->state == READY)
    calls_take(connections, connection, part->payload, part->length, part->is_end);
}

static void on_bytes(struct connections *connections, struct connection *connection, enum lane_name name,
                     const char *bytes, size_t length) {
  (void)name;
  if (connection->state == OPENING) {
    size_t taken = read_response(connections, connection, bytes, length);
    bytes += taken;
    length -= taken;
  }
  while (length && connection_is_open(connection)) {
    struct frame_part part;
    size_t taken = frame_read(&connection->frames, bytes, length, &part);
    bytes += taken;
    length -= taken;
    if (part.is_broken) {
      connection_give_up(connections, connection, "protocol", "the server sent a broken frame");
      return;
    }
    take_payload(connections, connection, &part);
    if (part.is_end && connection_is_open(connection)) on_frame_end(connections, connection);
  }
  if (connection->caller && connection->state == READY) calls_send_next(connections, connection);
}

const struct transport websocket_transport = {
    .name = "websocket",
    .first_lane = MAIN_LANE,
    .on_open = on_open,
    .on_bytes = on_bytes,
    .send = send_bytes,
};
