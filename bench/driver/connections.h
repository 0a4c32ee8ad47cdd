// The clients: N WebSocket connections, from the TCP connect to the check of everything they receive.
#ifndef CONNECTIONS_H
#define CONNECTIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "arrivals.h"
#include "frame.h"
#include "ledger.h"
#include "options.h"
#include "stamp.h"

#define FAILURE_BYTES_MAX 160

enum connection_state { NOT_STARTED, CONNECTING, UPGRADING, GREETING, READY, CLOSED };

struct connection {
  int fd;
  enum connection_state state;
  bool is_in_phase; // was ready when the phase began
  struct frame_reader frames;
  struct stamp_rest rest;
  struct ledger ledger;
  char *response; // the answer to the upgrade request, as long as it is not complete
  uint32_t response_length;
};

struct connections {
  const struct options *options;
  int epoll;
  struct connection *all;
  int started;
  int on_their_way;
  int ready;
  int failed; // never became ready
  int closed; // were ready and are no more
  char first_failure[FAILURE_BYTES_MAX];
  char *upgrade_request;
  struct arrivals arrivals;
};

void connections_prepare(struct connections *connections, const struct options *options, int epoll);
/** Starts as many as may be on their way together. */
void connections_start_some(struct connections *connections);
void connections_on_event(struct connections *connections, uint32_t index);
/** Empties the books: what arrives from now on is counted from message `first`. */
void connections_begin_phase(struct connections *connections, uint32_t first);
/** How many deliveries of this phase have not come, over all connections that were ready at its beginning. */
uint64_t connections_lost(const struct connections *connections);
void connections_send_text(struct connections *connections, const char *text);

#endif
