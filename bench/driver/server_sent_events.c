// The transport server-sent events: negotiation, one endless response, and requests of their own for what clients send.
// Clients that have never pinged need not: the server expects pings only from those that have begun with them.
#include "connections.h"
#include "hub_http.h"

static void on_open(struct connections *connections, struct connection *connection, enum lane_name name) {
  if (name == SENDING_LANE) hub_http_negotiate(connections, connection, name);
  else hub_http_get(connections, connection, "text/event-stream");
}

static void on_negotiated(struct connections *connections, struct connection *connection) {
  connection_open_lane(connections, connection, MAIN_LANE);
}

static void on_head(struct connections *connections, struct connection *connection, enum lane_name name) {
  if (name != MAIN_LANE) return;
  connection->state = GREETING;
  hub_http_post(connections, connection, SENDING_LANE, connections->options->hello);
}

struct reading {
  struct connections *connections;
  struct connection *connection;
};

static void on_event(void *context, const char *data, size_t length) {
  struct reading *reading = context;
  struct connection *connection = reading->connection;
  if (connection->state == CLOSED) return;
  if (connection->state == GREETING && bytes_start_with(data, length, reading->connections->options->ready))
    connection_become_ready(reading->connections, connection);
  connection_take_messages(reading->connections, connection, data, length);
}

static void on_body(struct connections *connections, struct connection *connection, const char *bytes,
                    size_t length) {
  struct reading reading = {connections, connection};
  event_stream_read(&connection->events, bytes, length, on_event, &reading);
}

static void on_end(struct connections *connections, struct connection *connection, enum lane_name name) {
  if (name == MAIN_LANE) connection_give_up(connections, connection, "closed by the server", "end of the events");
  // The handshake was taken, and there is nothing more to send. Browsers close such connections too, after a while.
  else connection_close_lane(connection, SENDING_LANE);
}

static const struct hub_http_answers answers = {
    .on_negotiated = on_negotiated,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
};

static void on_bytes(struct connections *connections, struct connection *connection, enum lane_name name,
                     const char *bytes, size_t length) {
  hub_http_read(connections, connection, name, bytes, length, &answers);
}

const struct transport server_sent_events_transport = {
    .name = "server-sent-events",
    .first_lane = SENDING_LANE,
    .is_negotiated = true,
    .on_open = on_open,
    .on_bytes = on_bytes,
};
