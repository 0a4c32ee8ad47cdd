#include "arrivals.h"

#include <string.h>

void arrivals_begin(struct arrivals *arrivals, uint32_t first) {
  memset(arrivals, 0, sizeof *arrivals);
  arrivals->end = first;
}

void arrivals_enter(struct arrivals *arrivals, struct ledger *ledger, uint32_t end, struct stamp stamp,
                    uint64_t now_ns) {
  switch (ledger_enter(ledger, stamp.number, end)) {
    case ARRIVED_OUT_OF_ORDER:
      arrivals->out_of_order++; // but it is here:
      // fall through
    case ARRIVED:
      arrivals->deliveries++;
      histogram_add(&arrivals->latency_ns, now_ns > stamp.posted_ns ? now_ns - stamp.posted_ns : 0);
      return;
    case DOUBLED:
      arrivals->doubled++;
      return;
    case LATE:
      arrivals->late++;
      return;
    case UNKNOWN:
      arrivals->unknown++;
      return;
  }
}
