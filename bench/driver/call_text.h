// The text that a call sends and its answer must bring back. It names its connection and its number and carries a check
// over all of it, so that an answer to another call, or a text that has changed, is found without keeping what was sent.
#ifndef CALL_TEXT_H
#define CALL_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stamp.h"

#define CALL_TEXT_BYTES_MIN (STAMP_BYTES + 16)

void call_text_write(char *out, size_t length, uint32_t connection, struct stamp stamp);
/** False where these bytes are not what `call_text_write` wrote for this connection. */
bool call_text_read(const char *bytes, size_t length, uint32_t connection, struct stamp *stamp);

#endif
