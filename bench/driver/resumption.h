// What a client does that keeps its position: it remembers where it is, comes back after a cut and says so, and is told
// whether it has got all that it missed. In JSON over WebSockets.
#ifndef RESUMPTION_H
#define RESUMPTION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message_cut.h"

#define POSITION_BYTES_MAX 96

struct connections;
struct connection;

struct resumption {
  char position[POSITION_BYTES_MAX]; // empty: none yet
  bool is_told_to_stay_away;         // the server said so, or did not say that it may come back
  int tries;                         // to come back, in vain
  bool is_caught_up;                 // has been told that it has everything up to its position, or that it has not
  bool has_gap;                      // was told that messages are gone
  uint32_t excused_before;           // numbers below this may be missing: of that gap
  struct message_rest rest;
};

/** Takes these next bytes of a frame's payload: messages, the server's word on the position, its close. */
void resumption_take(struct connections *connections, struct connection *connection, const char *bytes, size_t length,
                     bool is_frame_end);
/** Forgets what belongs to one stream, not the position. */
void resumption_begin_stream(struct resumption *resumption);
/** Forgets what was said of gaps. */
void resumption_begin_phase(struct resumption *resumption);

#endif
