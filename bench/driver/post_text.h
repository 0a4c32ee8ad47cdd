// The text of a post: the same for every one but for its stamps and its keys, which have places in it.
#ifndef POST_TEXT_H
#define POST_TEXT_H
#include <stddef.h>

#include "options.h"
#include "stamp.h"

struct post_text {
  char *text;
  size_t length;
  size_t stamp_offset; // of the first message
  size_t key_offset;   // 0: there is none
  size_t line_bytes;   // from one message to the next
  int messages;
  int keys;
};

void post_text_prepare(struct post_text *post, const struct options *options);
/** Puts this stamp on the first message, and the next numbers on the others. */
void post_text_stamp(struct post_text *post, struct stamp stamp);

#endif
