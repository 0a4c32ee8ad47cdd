#include "message_cut.h"

#include <stdint.h>
#include <string.h>

#define SEPARATOR 0x1e
#define PREFIX_BYTES_MAX 5

bool message_cut_parse(const char *word, enum message_cut *cut) {
  static const char *const words[] = {"frames", "separators", "lengths"};
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
    *cut = (enum message_cut)i;
    if (!strcmp(words[i], word)) return true;
  }
  return false;
}

/** Of a message with its prefix, seven bits a byte, the lowest first; 0 where it is not complete. */
static size_t prefixed_bytes(const char *bytes, size_t length) {
  uint64_t body_bytes = 0;
  for (size_t i = 0; i < length && i < PREFIX_BYTES_MAX; i++) {
    body_bytes |= (uint64_t)(bytes[i] & 0x7f) << 7 * i;
    if (!(bytes[i] & 0x80)) return length - i - 1 >= body_bytes ? i + 1 + (size_t)body_bytes : 0;
  }
  return 0;
}

/** How long the first message is; 0 where it is not complete. */
static size_t first_bytes(enum message_cut cut, const char *bytes, size_t length, bool is_frame_end) {
  switch (cut) {
    case CUT_AT_FRAMES:
      return is_frame_end ? length : 0;
    case CUT_AT_SEPARATORS: {
      const char *separator = memchr(bytes, SEPARATOR, length);
      return separator ? (size_t)(separator - bytes) + 1 : 0;
    }
    case CUT_BY_LENGTHS:
      return prefixed_bytes(bytes, length);
  }
  return 0;
}

bool message_cut_read(struct message_rest *rest, enum message_cut cut, const char *bytes, size_t length,
                      bool is_frame_end, message_found *found, void *context) {
  while (length) {
    size_t room = MESSAGE_BYTES_MAX - rest->length;
    if (!room) return false;
    size_t kept = length < room ? length : room;
    memcpy(rest->bytes + rest->length, bytes, kept);
    rest->length += kept;
    bytes += kept;
    length -= kept;
    size_t done = 0;
    for (size_t taken; done < rest->length; done += taken) {
      taken = first_bytes(cut, rest->bytes + done, rest->length - done, is_frame_end && !length);
      if (!taken) break;
      found(context, rest->bytes + done, taken);
    }
    rest->length -= done;
    memmove(rest->bytes, rest->bytes + done, rest->length);
  }
  return true;
}
