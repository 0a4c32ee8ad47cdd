// The transport long polling: negotiation, then one request after another on one connection that is kept alive: a first
// poll, which is answered at once, the handshake, and polls. A client polls again when it has read the whole answer.
#include "connections.h"
#include "hub_http.h"

static void on_open(struct connections *connections, struct connection *connection, enum lane_name name) {
  hub_http_negotiate(connections, connection, name);
}

static void on_body(struct connections *connections, struct connection *connection, const char *bytes,
                    size_t length) {
  connection_take_messages(connections, connection, bytes, length);
}

static void poll(struct connections *connections, struct connection *connection) {
  hub_http_get(connections, connection, "*/*");
}

static void on_end(struct connections *connections, struct connection *connection, enum lane_name name) {
  const struct http_reader *http = &connection->lanes[name].http;
  const struct options *options = connections->options;
  switch (connection->state) {
    case OPENING:
      connection->state = GREETING;
      hub_http_post(connections, connection, name, options->hello);
      return;
    case GREETING:
      if (bytes_start_with(http->start, http->start_length, options->ready))
        connection_become_ready(connections, connection);
      poll(connections, connection);
      return;
    case READY:
      poll(connections, connection);
      return;
    case NOT_STARTED:
    case NEGOTIATING:
    case AWAY:
    case CLOSED:
      return;
  }
}

static const struct hub_http_answers answers = {.on_negotiated = poll, .on_body = on_body, .on_end = on_end};

static void on_bytes(struct connections *connections, struct connection *connection, enum lane_name name,
                     const char *bytes, size_t length) {
  hub_http_read(connections, connection, name, bytes, length, &answers);
}

const struct transport long_polling_transport = {
    .name = "long-polling",
    .first_lane = MAIN_LANE,
    .is_negotiated = true,
    .on_open = on_open,
    .on_bytes = on_bytes,
};
