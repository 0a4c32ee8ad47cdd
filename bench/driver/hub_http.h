// The HTTP requests of a client without a WebSocket (negotiate, open or poll, send) and their answers.
#ifndef HUB_HTTP_H
#define HUB_HTTP_H
#include "connections.h"

void hub_http_negotiate(struct connections *connections, struct connection *connection, enum lane_name name);
/** Asks on the main lane for an event stream, or for what there is: a poll. */
void hub_http_get(struct connections *connections, struct connection *connection, const char *accept);
void hub_http_post(struct connections *connections, struct connection *connection, enum lane_name name,
                   struct bytes body);

/** What a transport does with answers that are as they have to be. */
struct hub_http_answers {
  void (*on_negotiated)(struct connections *connections, struct connection *connection);
  void (*on_head)(struct connections *connections, struct connection *connection, enum lane_name name);
  /** Of what the main lane brings. */
  void (*on_body)(struct connections *connections, struct connection *connection, const char *bytes, size_t length);
  void (*on_end)(struct connections *connections, struct connection *connection, enum lane_name name);
};

/** Reads these next bytes of a lane. The answer to negotiate is read here, and its body goes to nobody else. */
void hub_http_read(struct connections *connections, struct connection *connection, enum lane_name name,
                   const char *bytes, size_t length, const struct hub_http_answers *answers);

#endif
