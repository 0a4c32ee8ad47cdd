#include "stamp.h"

#include <stdbool.h>
#include <string.h>

#define NUMBER_DIGITS 8
#define CLOCK_DIGITS 16

static void write_hex(char *out, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--, value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

void stamp_write(char *out, struct stamp stamp) {
  out[0] = '~';
  out[1] = '#';
  write_hex(out + 2, stamp.number, NUMBER_DIGITS);
  write_hex(out + 2 + NUMBER_DIGITS, stamp.posted_ns, CLOCK_DIGITS);
}

static bool read_hex(const char *bytes, int digits, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < digits; i++) {
    char c = bytes[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    *value = *value << 4 | (uint64_t)digit;
  }
  return true;
}

static void read_stamp(const char *bytes, stamp_found *found, void *context) {
  uint64_t number, posted_ns;
  if (!read_hex(bytes + 2, NUMBER_DIGITS, &number)) return;
  if (!read_hex(bytes + 2 + NUMBER_DIGITS, CLOCK_DIGITS, &posted_ns)) return;
  found(context, (struct stamp){(uint32_t)number, posted_ns});
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
