// The books of one connection: which messages of this phase it has got. Exact, whatever the server does; a stream in
// good order costs one comparison per message, and memory is needed only for a connection that has missed something.
#ifndef LEDGER_H
#define LEDGER_H
#include <stdint.h>

enum verdict {
  ARRIVED,              // in order
  ARRIVED_OUT_OF_ORDER, // after a message that was posted later
  DOUBLED,              // it was here before
  LATE,                 // of an earlier phase, which has counted it as lost
  UNKNOWN,              // nobody has posted it
};

struct ledger {
  uint32_t first;   // number of the phase's first message
  uint32_t next;    // the number that is due
  uint32_t missing; // skipped so far
  uint8_t *missed;  // one bit for each number from `first`, NULL as long as none was skipped
  uint32_t missed_bytes;
};

void ledger_begin(struct ledger *ledger, uint32_t first);
/** `end` is the number after the last one that was posted. */
enum verdict ledger_enter(struct ledger *ledger, uint32_t number, uint32_t end);
/** How many of the messages before `end` have not come. */
uint32_t ledger_lost(const struct ledger *ledger, uint32_t end);
/** The same of the messages from `from` on, which is one of the phase. */
uint32_t ledger_lost_from(const struct ledger *ledger, uint32_t from, uint32_t end);

#endif
