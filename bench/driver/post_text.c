#include "post_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_DIGITS 5

static char *request_head(const struct options *options, size_t body_bytes) {
  char *head;
  int length = asprintf(&head,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        options->post_path, options->post_port, options->post_type, body_bytes);
  return length < 0 ? NULL : head;
}

/** One message, with its line end where there are many or where a line is what is posted. */
static char *message_text(const struct options *options, bool is_line) {
  char *fill = malloc((size_t)options->payload_bytes + 1);
  char *line;
  if (!fill) return NULL;
  for (int i = 0; i < options->payload_bytes; i++) fill[i] = (char)('a' + i % 26);
  fill[options->payload_bytes] = 0;
  int length = asprintf(&line, "%s%s%s%s", options->post_before, fill, options->post_after, is_line ? "\n" : "");
  free(fill);
  return length < 0 ? NULL : line;
}

void post_text_prepare(struct post_text *post, const struct options *options) {
  bool is_http = options->post_way == POST_HTTP;
  char *line = message_text(options, !is_http || options->post_batch > 1);
  if (!line) goto out_of_memory;
  size_t line_bytes = strlen(line);
  size_t messages = (size_t)options->post_batch;
  char *head = is_http ? request_head(options, line_bytes * messages) : strdup("");
  if (!head) goto out_of_memory;
  size_t head_bytes = strlen(head);
  post->text = malloc(head_bytes + line_bytes * messages);
  if (!post->text) goto out_of_memory;
  memcpy(post->text, head, head_bytes);
  for (size_t i = 0; i < messages; i++) memcpy(post->text + head_bytes + i * line_bytes, line, line_bytes);
  const char *key = strstr(options->post_before, POST_KEY);
  post->length = head_bytes + line_bytes * messages;
  post->stamp_offset = head_bytes + strlen(options->post_before);
  post->key_offset = options->keys && key ? head_bytes + (size_t)(key - options->post_before) : 0;
  post->line_bytes = line_bytes;
  post->messages = options->post_batch;
  post->keys = options->keys;
  free(head);
  free(line);
  return;
out_of_memory:
  fprintf(stderr, "driver: out of memory\n");
  exit(1);
}

void post_text_stamp(struct post_text *post, struct stamp stamp) {
  char *text = post->text;
  for (int i = 0; i < post->messages; i++, text += post->line_bytes) {
    uint32_t number = stamp.number + (uint32_t)i;
    stamp_write(text + post->stamp_offset, (struct stamp){number, stamp.posted_ns});
    if (!post->key_offset) continue;
    char digits[KEY_DIGITS + 1];
    snprintf(digits, sizeof digits, "%05u", number % (uint32_t)post->keys % 100000u);
    memcpy(text + post->key_offset, digits, KEY_DIGITS);
  }
}
