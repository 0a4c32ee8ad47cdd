// Cuts what comes on a connection into messages: at SignalR's separator, by its length prefixes, or one a frame.
#ifndef MESSAGE_CUT_H
#define MESSAGE_CUT_H
#include <stdbool.h>
#include <stddef.h>

#define MESSAGE_BYTES_MAX 4096

enum message_cut { CUT_AT_FRAMES, CUT_AT_SEPARATORS, CUT_BY_LENGTHS };

/** The message that has come in part; all zero at the start of a stream. */
struct message_rest {
  size_t length;
  char bytes[MESSAGE_BYTES_MAX];
};

/** The message with its separator or prefix. */
typedef void message_found(void *context, const char *message, size_t length);

/** False where `word` is none of `frames`, `separators` and `lengths`. */
bool message_cut_parse(const char *word, enum message_cut *cut);
/**
 * Calls `found` for each message that ends in these next bytes of a frame's payload; `is_frame_end`: the frame ends with
 * them. False where a message is longer than MESSAGE_BYTES_MAX.
 */
bool message_cut_read(struct message_rest *rest, enum message_cut cut, const char *bytes, size_t length,
                      bool is_frame_end, message_found *found, void *context);

#endif
