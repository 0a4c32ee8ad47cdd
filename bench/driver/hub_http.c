#include "hub_http.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_BYTES_MAX 2048
#define HEAD_END "\r\n\r\n"

static void send_request(struct connections *connections, struct connection *connection, enum lane_name name,
                         const char *request, int length) {
  if (length >= REQUEST_BYTES_MAX) connection_give_up(connections, connection, "request", "it is too long");
  else connection_send(connections, connection, name, request, (size_t)length);
}

void hub_http_negotiate(struct connections *connections, struct connection *connection, enum lane_name name) {
  const struct options *options = connections->options;
  char request[REQUEST_BYTES_MAX];
  int length = snprintf(request, sizeof request,
                        "POST %s/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "Content-Length: 0" HEAD_END,
                        options->path, options->port);
  send_request(connections, connection, name, request, length);
}

void hub_http_get(struct connections *connections, struct connection *connection, const char *accept) {
  const struct options *options = connections->options;
  char request[REQUEST_BYTES_MAX];
  int length = snprintf(request, sizeof request, "GET %s?id=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: %s" HEAD_END,
                        options->path, connection->negotiation.token, options->port, accept);
  send_request(connections, connection, MAIN_LANE, request, length);
}

void hub_http_post(struct connections *connections, struct connection *connection, enum lane_name name,
                   struct bytes body) {
  const struct options *options = connections->options;
  char request[REQUEST_BYTES_MAX];
  int head = snprintf(request, sizeof request,
                      "POST %s?id=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\n"
                      "Content-Length: %zu" HEAD_END,
                      options->path, connection->negotiation.token, options->port,
                      body.is_binary ? "application/octet-stream" : "text/plain;charset=UTF-8", body.length);
  int length = head + (int)body.length;
  if (length < REQUEST_BYTES_MAX) memcpy(request + head, body.data, body.length);
  send_request(connections, connection, name, request, length);
}

static bool is_fine(struct connections *connections, struct connection *connection, const struct http_reader *http,
                    const struct http_part *part) {
  if (part->is_broken) {
    connection_give_up(connections, connection, "protocol", "the server does not speak HTTP");
    return false;
  }
  if (!part->is_head_end || http->status == 200) return true;
  // 204 is the answer to the poll of a client whose connection has ended.
  const char *what = connection->state == READY ? "closed by the server" : "refused";
  connection_give_up(connections, connection, what, http->status_line);
  return false;
}

static void take_negotiation(struct connections *connections, struct connection *connection,
                             const struct http_part *part, const struct hub_http_answers *answers) {
  if (part->length) negotiation_take(&connection->negotiation, part->body, part->length);
  if (!part->is_end) return;
  if (negotiation_end(&connection->negotiation)) {
    connection->state = OPENING;
    answers->on_negotiated(connections, connection);
  } else {
    connection_give_up(connections, connection, "negotiate", "there is no connection token in the answer");
  }
}

void hub_http_read(struct connections *connections, struct connection *connection, enum lane_name name,
                   const char *bytes, size_t length, const struct hub_http_answers *answers) {
  struct lane *lane = &connection->lanes[name];
  while (length && lane->is_connected) {
    struct http_part part;
    size_t taken = http_read(&lane->http, bytes, length, &part);
    bytes += taken;
    length -= taken;
    if (!is_fine(connections, connection, &lane->http, &part)) return;
    if (connection->state == NEGOTIATING) {
      take_negotiation(connections, connection, &part, answers);
      continue;
    }
    if (part.is_head_end && answers->on_head) answers->on_head(connections, connection, name);
    if (part.length && name == MAIN_LANE) answers->on_body(connections, connection, part.body, part.length);
    if (part.is_end && lane->is_connected) answers->on_end(connections, connection, name);
  }
}
