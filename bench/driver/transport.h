// How clients speak to the server: what each of SignalR's transports does with its TCP connections.
#ifndef TRANSPORT_H
#define TRANSPORT_H
#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct connections;
struct connection;

/** A client receives on its main lane. Where that is one endless response, it sends on the other. */
enum lane_name { MAIN_LANE, SENDING_LANE, LANES };

struct transport {
  const char *name;
  enum lane_name first_lane; // the one that a client opens first
  bool is_negotiated;        // it begins with SignalR's negotiate request
  void (*on_open)(struct connections *connections, struct connection *connection, enum lane_name name);
  void (*on_bytes)(struct connections *connections, struct connection *connection, enum lane_name name,
                   const char *bytes, size_t length);
  /** Sends something between two phases; NULL where clients need not. */
  void (*send)(struct connections *connections, struct connection *connection, struct bytes bytes);
};

/** NULL where there is none of this name. */
const struct transport *transport_find(const char *name);

extern const struct transport websocket_transport;
extern const struct transport server_sent_events_transport;
extern const struct transport long_polling_transport;

#endif
