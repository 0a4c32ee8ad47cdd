// Each payload starts with a stamp: `~#`, the message's number (8 hex digits) and the clock in nanoseconds (16). It is
// plain text that no encoding escapes, so it is found in whatever the server wraps around it.
#ifndef STAMP_H
#define STAMP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMP_BYTES 26

struct stamp {
  uint32_t number;
  uint64_t posted_ns;
};

/** What remains of a stamp that the end of a read has cut in two; one for each stream, all zero at the start. */
struct stamp_rest {
  uint8_t length;
  char bytes[STAMP_BYTES];
};

typedef void stamp_found(void *context, struct stamp stamp);

void stamp_write(char *out, struct stamp stamp);
/** Reads the stamp that begins here; false where none does. */
bool stamp_read(const char *bytes, struct stamp *stamp);
/** Calls `found` for each stamp that ends in these next bytes of the stream. */
void stamp_find(struct stamp_rest *rest, const char *bytes, size_t length, stamp_found *found, void *context);

#endif
