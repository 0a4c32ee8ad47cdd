#include "call_text.h"

#include "hex.h"

#define DIGITS 8

static uint32_t check_of(uint32_t connection, struct stamp stamp) {
  // The finalizer of splitmix64, which spreads each bit over all.
  uint64_t mixed = stamp.posted_ns ^ (uint64_t)stamp.number << 32 ^ connection;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)(mixed ^ mixed >> 31);
}

static char fill_at(size_t at) {
  return (char)('a' + at % 26);
}

void call_text_write(char *out, size_t length, uint32_t connection, struct stamp stamp) {
  stamp_write(out, stamp);
  hex_write(out + STAMP_BYTES, connection, DIGITS);
  hex_write(out + STAMP_BYTES + DIGITS, check_of(connection, stamp), DIGITS);
  for (size_t i = CALL_TEXT_BYTES_MIN; i < length; i++) out[i] = fill_at(i);
}

bool call_text_read(const char *bytes, size_t length, uint32_t connection, struct stamp *stamp) {
  uint64_t named, check;
  if (!stamp_read(bytes, stamp)) return false;
  if (!hex_read(bytes + STAMP_BYTES, DIGITS, &named) || named != connection) return false;
  if (!hex_read(bytes + STAMP_BYTES + DIGITS, DIGITS, &check) || check != check_of(connection, *stamp)) return false;
  for (size_t i = CALL_TEXT_BYTES_MIN; i < length; i++)
    if (bytes[i] != fill_at(i)) return false;
  return true;
}
