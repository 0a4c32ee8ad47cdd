#include "frame.h"

#include <string.h>

#define FINAL 0x80
#define RESERVED 0x70
#define MASKED 0x80
#define DATA_START_BYTES_MAX 16 // enough to know a handshake answer or a ping by

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

static uint8_t header_bytes(const struct frame_reader *reader) {
  if (reader->header_length < 2) return 2;
  uint8_t size = reader->header[1] & 0x7f;
  return size == 126 ? 4 : size == 127 ? 10 : 2;
}

static uint64_t payload_bytes(const uint8_t *header) {
  uint8_t size = header[1] & 0x7f;
  if (size < 126) return size;
  uint64_t bytes = 0;
  for (int i = 0; i < (size == 126 ? 2 : 8); i++) bytes = bytes << 8 | header[2 + i];
  return bytes;
}

static size_t read_header(struct frame_reader *reader, const char *bytes, size_t length, struct frame_part *part) {
  size_t taken = 0;
  while (taken < length && reader->header_length < header_bytes(reader))
    reader->header[reader->header_length++] = (uint8_t)bytes[taken++];
  if (reader->header_length < header_bytes(reader)) return taken;
  part->is_broken = reader->header[0] & RESERVED || reader->header[1] & MASKED;
  reader->opcode = reader->header[0] & 0x0f;
  reader->payload_bytes = reader->payload_left = payload_bytes(reader->header);
  reader->header_length = 0;
  reader->start_length = 0;
  reader->is_in_payload = reader->payload_bytes > 0;
  part->is_end = !reader->is_in_payload;
  return taken;
}

static void keep_start(struct frame_reader *reader, const char *bytes, size_t length) {
  size_t most = reader->opcode >= OP_CLOSE ? FRAME_START_BYTES_MAX : DATA_START_BYTES_MAX;
  if (reader->start_length >= most) return;
  size_t room = most - reader->start_length;
  size_t kept = length < room ? length : room;
  memcpy(reader->start + reader->start_length, bytes, kept);
  reader->start_length += (uint8_t)kept;
}

size_t frame_read(struct frame_reader *reader, const char *bytes, size_t length, struct frame_part *part) {
  *part = (struct frame_part){0};
  if (!reader->is_in_payload) return read_header(reader, bytes, length, part);
  size_t taken = length < reader->payload_left ? length : (size_t)reader->payload_left;
  keep_start(reader, bytes, taken);
  reader->payload_left -= taken;
  reader->is_in_payload = reader->payload_left > 0;
  part->payload = bytes;
  part->length = taken;
  part->is_end = !reader->is_in_payload;
  return taken;
}

size_t frame_write(char *out, enum opcode opcode, const char *payload, size_t length) {
  size_t at = 0;
  out[at++] = (char)(FINAL | opcode);
  if (length < 126) {
    out[at++] = (char)(MASKED | length);
  } else {
    out[at++] = (char)(MASKED | 126);
    out[at++] = (char)(length >> 8);
    out[at++] = (char)length;
  }
  memcpy(out + at, mask, sizeof mask);
  at += sizeof mask;
  for (size_t i = 0; i < length; i++) out[at + i] = (char)(payload[i] ^ mask[i % sizeof mask]);
  return at + length;
}
