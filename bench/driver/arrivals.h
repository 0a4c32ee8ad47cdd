// What all connections together have received in one phase.
#ifndef ARRIVALS_H
#define ARRIVALS_H
#include <stdint.h>

#include "histogram.h"
#include "ledger.h"
#include "stamp.h"

struct arrivals {
  uint32_t end;           // the number after the last one posted
  uint64_t deliveries;    // each message once for each connection
  uint64_t doubled;
  uint64_t out_of_order;
  uint64_t late;          // of an earlier phase
  uint64_t unknown;       // never posted
  uint64_t wrong;         // answers that do not fit their call
  uint64_t payload_bytes; // of what carries messages: without headers of frames, events and responses
  struct histogram latency_ns;
};

void arrivals_begin(struct arrivals *arrivals, uint32_t first);
/** Enters one message that one connection has received; `end` is the number after the last one that it may get. */
void arrivals_enter(struct arrivals *arrivals, struct ledger *ledger, uint32_t end, struct stamp stamp,
                    uint64_t now_ns);

#endif
