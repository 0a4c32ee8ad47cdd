// Bytes of the command line: text as it stands, or any bytes as `hex:7b7d1e`.
#ifndef BYTES_H
#define BYTES_H
#include <stdbool.h>
#include <stddef.h>

struct bytes {
  const char *data; // NULL: not given
  size_t length;
  bool is_binary;   // was given in hex, and goes into binary frames
};

/** False where what follows `hex:` are not pairs of digits. */
bool bytes_parse(const char *word, struct bytes *bytes);
bool bytes_start_with(const char *data, size_t length, struct bytes start);

#endif
