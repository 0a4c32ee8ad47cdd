#include "negotiation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_FIELD "\"connectionToken\":\""
#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

void negotiation_take(struct negotiation *negotiation, const char *bytes, size_t length) {
  if (!negotiation->answer && !(negotiation->answer = malloc(ANSWER_BYTES_MAX))) {
    fprintf(stderr, "driver: out of memory\n");
    exit(1);
  }
  size_t room = ANSWER_BYTES_MAX - 1 - negotiation->answer_bytes;
  size_t kept = length < room ? length : room;
  memcpy(negotiation->answer + negotiation->answer_bytes, bytes, kept);
  negotiation->answer_bytes += kept;
  negotiation->answer[negotiation->answer_bytes] = 0;
}

static bool read_token(struct negotiation *negotiation) {
  const char *field = negotiation->answer ? strstr(negotiation->answer, TOKEN_FIELD) : NULL;
  if (!field) return false;
  const char *token = field + strlen(TOKEN_FIELD);
  size_t length = strspn(token, UNRESERVED);
  if (!length || length >= TOKEN_BYTES_MAX || token[length] != '"') return false;
  memcpy(negotiation->token, token, length);
  negotiation->token[length] = 0;
  return true;
}

bool negotiation_end(struct negotiation *negotiation) {
  bool has_token = read_token(negotiation);
  free(negotiation->answer);
  negotiation->answer = NULL;
  negotiation->answer_bytes = 0;
  return has_token;
}
