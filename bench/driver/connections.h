// The clients: N connections, from the TCP connect to the check of everything they receive. How they speak to the server
// is their transport's business.
#ifndef CONNECTIONS_H
#define CONNECTIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "arrivals.h"
#include "calls.h"
#include "event_stream.h"
#include "frame.h"
#include "http_reader.h"
#include "ledger.h"
#include "negotiation.h"
#include "options.h"
#include "resumption.h"
#include "stamp.h"
#include "transport.h"

#define FAILURE_BYTES_MAX 160

/** AWAY: its TCP connection has ended, and it comes back. */
enum connection_state { NOT_STARTED, NEGOTIATING, OPENING, GREETING, READY, AWAY, CLOSED };

/** One TCP connection of a client. */
struct lane {
  int fd; // -1: there is none
  bool is_connected;
  struct http_reader http;
};

struct connection {
  enum connection_state state;
  bool is_in_phase; // was ready when the phase began
  bool is_silent;   // does not read
  struct lane lanes[LANES];
  struct negotiation negotiation;
  struct frame_reader frames;
  struct event_stream events;
  struct stamp_rest rest;
  struct ledger ledger;
  struct caller *caller;         // NULL: the clients make no calls
  struct resumption *resumption; // NULL: the clients keep no position
};

struct connections {
  const struct options *options;
  const struct transport *transport;
  int epoll;
  struct connection *all;
  int started;
  int on_their_way;
  int ready;
  int failed; // never became ready
  int closed; // were ready and are no more
  int away;
  int next_away;    // where the search for the next one that comes back begins
  bool is_returning; // those who are away come back, and who is closed does too
  uint64_t returns;      // since the phase began
  uint64_t return_tries; // connections begun for them
  char first_failure[FAILURE_BYTES_MAX];
  struct calls calls;
  struct arrivals arrivals;
  struct arrivals slow_arrivals; // of the slow ones, where a phase counts them apart
  bool counts_slow_apart;
};

void connections_prepare(struct connections *connections, const struct options *options, int epoll);
/** Starts as many as may be on their way together. */
void connections_start_some(struct connections *connections);
void connections_on_event(struct connections *connections, uint32_t index, enum lane_name name);
/** Empties the books: what arrives from now on is counted from message `first`. */
void connections_begin_phase(struct connections *connections, uint32_t first);
/** How many connections get each message, now. */
uint64_t connections_receiving(const struct connections *connections);
bool connection_is_slow(const struct connections *connections, const struct connection *connection);
/** All are gone at once: reset, as where a cable is pulled out. */
void connections_cut(struct connections *connections);
/** Starts as many of those who are away as may be on their way together. */
void connections_return_some(struct connections *connections);
/** The slow ones stop reading, or read again. */
void connections_let_slow_read(struct connections *connections, bool is_reading);

/** What has not come of what is for the connections that were ready at the beginning of the phase. */
struct missing {
  uint64_t lost;
  uint64_t replaced;  // by a newer message with the same key
  uint64_t gone;      // in a gap that the client was told of
  uint64_t gaps;      // how many clients were told of one
  uint64_t unfinished; // how many clients have lost something or are not caught up
};
struct missing connections_missing(const struct connections *connections);
/** What each client says between phases, so that the server does not take it for gone. */
void connections_keep_alive(struct connections *connections);

// For the transports:
uint32_t connection_index(const struct connections *connections, const struct connection *connection);
void connection_open_lane(struct connections *connections, struct connection *connection, enum lane_name name);
void connection_close_lane(struct connection *connection, enum lane_name name);
/** What clients send is far smaller than a socket's buffer: where it does not fit, the server has stopped reading. */
void connection_send(struct connections *connections, struct connection *connection, enum lane_name name,
                     const char *bytes, size_t length);
void connection_become_ready(struct connections *connections, struct connection *connection);
/** Its TCP connection is gone, and it may come back. */
void connection_leave(struct connections *connections, struct connection *connection);
bool connection_is_open(const struct connection *connection);
/** Closes it; the first reason of all is kept for the report. */
void connection_give_up(struct connections *connections, struct connection *connection, const char *what,
                        const char *detail);
/** Bytes of one read, on their way into the books. */
struct taking {
  struct connections *connections;
  struct connection *connection;
  struct arrivals *arrivals;
  uint64_t now_ns;
};
struct taking connection_begin_taking(struct connections *connections, struct connection *connection, size_t length);
/** Enters one message; `context` is what was begun. */
void connection_enter_stamp(void *context, struct stamp stamp);
/** Enters the messages in these next bytes of what the server sends to this client. */
void connection_take_messages(struct connections *connections, struct connection *connection, const char *bytes,
                              size_t length);

#endif
