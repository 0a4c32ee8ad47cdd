// What the clients together have got, and what they should have.
#include "clock.h"
#include "connections.h"

static bool is_receiver(const struct connections *connections, const struct connection *connection) {
  int receivers = connections->options->receivers;
  return !receivers || connection_index(connections, connection) < (uint32_t)receivers;
}

bool connection_is_slow(const struct connections *connections, const struct connection *connection) {
  const struct options *options = connections->options;
  return connection_index(connections, connection) >= (uint32_t)(options->connections - options->slow);
}

uint64_t connections_receiving(const struct connections *connections) {
  int receivers = connections->options->receivers;
  return (uint64_t)(receivers && receivers < connections->ready ? receivers : connections->ready);
}

void connections_begin_phase(struct connections *connections, uint32_t first) {
  arrivals_begin(&connections->arrivals, first);
  arrivals_begin(&connections->slow_arrivals, first);
  connections->calls.is_calling = false;
  connections->counts_slow_apart = false;
  connections->returns = 0;
  connections->return_tries = 0;
  for (int i = 0; i < connections->started; i++) {
    struct connection *connection = &connections->all[i];
    ledger_begin(&connection->ledger, first);
    if (connection->resumption) resumption_begin_phase(connection->resumption);
    connection->is_in_phase = connection->state == READY && is_receiver(connections, connection);
  }
}

struct taking connection_begin_taking(struct connections *connections, struct connection *connection, size_t length) {
  bool is_slow = connections->counts_slow_apart && connection_is_slow(connections, connection);
  struct arrivals *arrivals = is_slow ? &connections->slow_arrivals : &connections->arrivals;
  arrivals->payload_bytes += length;
  return (struct taking){connections, connection, arrivals, clock_now_ns()};
}

void connection_enter_stamp(void *context, struct stamp stamp) {
  struct taking *taking = context;
  const struct connections *connections = taking->connections;
  struct ledger *ledger = &taking->connection->ledger;
  if (is_receiver(connections, taking->connection))
    arrivals_enter(taking->arrivals, ledger, connections->arrivals.end, stamp, taking->now_ns);
  else taking->arrivals->unknown++; // nobody has posted it to this client
}

void connection_take_messages(struct connections *connections, struct connection *connection, const char *bytes,
                              size_t length) {
  struct taking taking = connection_begin_taking(connections, connection, length);
  stamp_find(&connection->rest, bytes, length, connection_enter_stamp, &taking);
}

/** Of each key the newest message has to come: of numbers that take the keys in turn, the last ones. */
static uint32_t first_that_counts(uint32_t first, uint32_t end, int keys) {
  return keys && end - first > (uint32_t)keys ? end - (uint32_t)keys : first;
}

static void add_missing(struct missing *missing, const struct connection *connection, uint32_t end, int keys) {
  const struct ledger *ledger = &connection->ledger;
  const struct resumption *resumption = connection->resumption;
  uint32_t all = ledger_lost(ledger, end);
  uint32_t counted_from = first_that_counts(ledger->first, end, keys);
  uint32_t newest = ledger_lost_from(ledger, counted_from, end);
  if (resumption && resumption->has_gap && resumption->excused_before > counted_from)
    counted_from = resumption->excused_before;
  uint32_t lost = ledger_lost_from(ledger, counted_from, end);
  missing->replaced += all - newest;
  missing->gone += newest - lost;
  missing->lost += lost;
  missing->gaps += resumption && resumption->has_gap;
  bool is_here = !resumption || (connection->state == READY && resumption->is_caught_up);
  missing->unfinished += lost || !is_here;
}

struct missing connections_missing(const struct connections *connections) {
  struct missing missing = {0};
  for (int i = 0; i < connections->started; i++) {
    const struct connection *connection = &connections->all[i];
    if (!connection->is_in_phase) continue;
    bool is_calling = connections->calls.is_calling;
    uint32_t end = is_calling ? connection->caller->end : connections->arrivals.end;
    add_missing(&missing, connection, end, is_calling ? 0 : connections->options->keys);
  }
  return missing;
}
