// What all connections together have received in one phase.
#ifndef ARRIVALS_H
#define ARRIVALS_H
#include <stdint.h>

#include "histogram.h"
#include "ledger.h"
#include "stamp.h"

struct arrivals {
  uint32_t first;         // number of the phase's first message
  uint32_t end;           // the number after the last one posted
  uint64_t deliveries;    // each message once for each connection
  uint64_t doubled;
  uint64_t out_of_order;
  uint64_t late;          // of an earlier phase
  uint64_t unknown;       // never posted
  uint64_t payload_bytes; // of WebSocket frames with data
  struct histogram latency_ns;
};

void arrivals_begin(struct arrivals *arrivals, uint32_t first);
/** Enters one message that one connection has received. */
void arrivals_enter(struct arrivals *arrivals, struct ledger *ledger, struct stamp stamp, uint64_t now_ns);

#endif
