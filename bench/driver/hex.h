// Hexadecimal digits, in lower case.
#ifndef HEX_H
#define HEX_H
#include <stdbool.h>
#include <stdint.h>

void hex_write(char *out, uint64_t value, int digits);
/** False where one of them is no digit. */
bool hex_read(const char *bytes, int digits, uint64_t *value);

#endif
