// WebSocket frames (RFC 6455), both ways: reads what the server sends in any cut, writes masked client frames.
#ifndef FRAME_H
#define FRAME_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_BYTES_MAX 14
#define FRAME_START_BYTES_MAX 125 // all of a control frame's payload

enum opcode { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/** Where one stream stands; all zero at its start. */
struct frame_reader {
  uint64_t payload_bytes;
  uint64_t payload_left;
  bool is_in_payload;
  uint8_t opcode;
  uint8_t header_length;
  uint8_t start_length;
  uint8_t header[FRAME_HEADER_BYTES_MAX];
  char start[FRAME_START_BYTES_MAX]; // how the current frame's payload begins
};

/** What one step of reading has found. */
struct frame_part {
  const char *payload; // a piece of the current frame's payload
  size_t length;
  bool is_end;         // the frame ends here
  bool is_broken;      // no server may send this
};

/** Reads one step, at most to the end of the current frame; says how many bytes it took. */
size_t frame_read(struct frame_reader *reader, const char *bytes, size_t length, struct frame_part *part);
/** Writes a frame of up to 65,535 bytes; `out` has room for FRAME_HEADER_BYTES_MAX more. Says how long it is. */
size_t frame_write(char *out, enum opcode opcode, const char *payload, size_t length);

#endif
