#include "bytes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

#define HEX_PREFIX "hex:"

bool bytes_parse(const char *word, struct bytes *bytes) {
  *bytes = (struct bytes){.data = word, .length = strlen(word)};
  if (strncmp(word, HEX_PREFIX, strlen(HEX_PREFIX)) != 0) return true;
  const char *digits = word + strlen(HEX_PREFIX);
  size_t count = strlen(digits);
  char *data = count % 2 ? NULL : malloc(count / 2 + 1);
  if (!data) return false;
  for (size_t i = 0; i < count / 2; i++) {
    uint64_t value;
    if (!hex_read(digits + 2 * i, 2, &value)) return false;
    data[i] = (char)value;
  }
  *bytes = (struct bytes){.data = data, .length = count / 2, .is_binary = true};
  return true;
}

bool bytes_start_with(const char *data, size_t length, struct bytes start) {
  return length >= start.length && !memcmp(data, start.data, start.length);
}
