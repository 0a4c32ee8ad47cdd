#include "stamp.h"

#include <string.h>

#include "hex.h"

#define NUMBER_DIGITS 8
#define CLOCK_DIGITS 16

void stamp_write(char *out, struct stamp stamp) {
  out[0] = '~';
  out[1] = '#';
  hex_write(out + 2, stamp.number, NUMBER_DIGITS);
  hex_write(out + 2 + NUMBER_DIGITS, stamp.posted_ns, CLOCK_DIGITS);
}

bool stamp_read(const char *bytes, struct stamp *stamp) {
  uint64_t number;
  if (bytes[0] != '~' || bytes[1] != '#') return false;
  if (!hex_read(bytes + 2, NUMBER_DIGITS, &number)) return false;
  stamp->number = (uint32_t)number;
  return hex_read(bytes + 2 + NUMBER_DIGITS, CLOCK_DIGITS, &stamp->posted_ns);
}

static void read_stamp(const char *bytes, stamp_found *found, void *context) {
  struct stamp stamp;
  if (stamp_read(bytes, &stamp)) found(context, stamp);
}

/** Completes a stamp that an earlier read has begun; says how many of the new bytes it took. */
static size_t complete_rest(struct stamp_rest *rest, const char *bytes, size_t length, stamp_found *found,
                            void *context) {
  size_t taken = 0;
  while (rest->length < STAMP_BYTES && taken < length) {
    if (rest->length == 1 && bytes[taken] != '#') {
      rest->length = 0;
      return taken;
    }
    rest->bytes[rest->length++] = bytes[taken++];
  }
  if (rest->length == STAMP_BYTES) {
    read_stamp(rest->bytes, found, context);
    rest->length = 0;
  }
  return taken;
}

void stamp_find(struct stamp_rest *rest, const char *bytes, size_t length, stamp_found *found, void *context) {
  const char *end = bytes + length;
  if (rest->length) bytes += complete_rest(rest, bytes, length, found, context);
  while ((bytes = memchr(bytes, '~', (size_t)(end - bytes)))) {
    size_t left = (size_t)(end - bytes);
    if (left > 1 && bytes[1] != '#') {
      bytes++;
    } else if (left < STAMP_BYTES) {
      memcpy(rest->bytes, bytes, left);
      rest->length = (uint8_t)left;
      return;
    } else {
      read_stamp(bytes, found, context);
      bytes += STAMP_BYTES;
    }
  }
}
