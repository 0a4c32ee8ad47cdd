// SignalR's negotiate request and its answer: the token by which all later requests of a client name its connection.
#ifndef NEGOTIATION_H
#define NEGOTIATION_H
#include <stdbool.h>
#include <stddef.h>

#define ANSWER_BYTES_MAX 2048
#define TOKEN_BYTES_MAX 256

struct negotiation {
  char *answer; // what has come of it; NULL before and after
  size_t answer_bytes;
  char token[TOKEN_BYTES_MAX];
};

/** Takes the next bytes of the answer's body. */
void negotiation_take(struct negotiation *negotiation, const char *bytes, size_t length);
/** Reads the whole answer; false where there is no token in it that can stand in a query. */
bool negotiation_end(struct negotiation *negotiation);

#endif
