#include "ledger.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_begin(struct ledger *ledger, uint32_t first) {
  free(ledger->missed);
  *ledger = (struct ledger){.first = first, .next = first};
}

static void grow(struct ledger *ledger, uint32_t numbers) {
  uint32_t bytes = numbers / 8 + 1;
  if (bytes <= ledger->missed_bytes) return;
  bytes *= 2;
  ledger->missed = realloc(ledger->missed, bytes);
  if (!ledger->missed) {
    fprintf(stderr, "driver: out of memory\n");
    exit(1);
  }
  memset(ledger->missed + ledger->missed_bytes, 0, bytes - ledger->missed_bytes);
  ledger->missed_bytes = bytes;
}

static void skip_to(struct ledger *ledger, uint32_t number) {
  grow(ledger, number - ledger->first);
  for (uint32_t i = ledger->next - ledger->first; i < number - ledger->first; i++)
    ledger->missed[i / 8] |= (uint8_t)(1u << i % 8);
  ledger->missing += number - ledger->next;
  ledger->next = number;
}

static bool take_missed(struct ledger *ledger, uint32_t number) {
  uint32_t i = number - ledger->first;
  uint8_t bit = (uint8_t)(1u << i % 8);
  if (i / 8 >= ledger->missed_bytes || !(ledger->missed[i / 8] & bit)) return false;
  ledger->missed[i / 8] &= (uint8_t)~bit;
  ledger->missing--;
  return true;
}

enum verdict ledger_enter(struct ledger *ledger, uint32_t number, uint32_t end) {
  if (number >= end) return UNKNOWN;
  if (number < ledger->first) return LATE;
  if (number < ledger->next) return take_missed(ledger, number) ? ARRIVED_OUT_OF_ORDER : DOUBLED;
  if (number > ledger->next) skip_to(ledger, number);
  ledger->next++;
  return ARRIVED;
}

uint32_t ledger_lost(const struct ledger *ledger, uint32_t end) {
  return ledger->missing + (end > ledger->next ? end - ledger->next : 0);
}

uint32_t ledger_lost_from(const struct ledger *ledger, uint32_t from, uint32_t end) {
  if (from <= ledger->first) return ledger_lost(ledger, end);
  if (from >= end) return 0;
  uint32_t never_reached = end > ledger->next ? end - (from > ledger->next ? from : ledger->next) : 0;
  uint32_t skipped = 0;
  for (uint32_t i = from - ledger->first; i < ledger->next - ledger->first && i / 8 < ledger->missed_bytes; i++)
    skipped += ledger->missed[i / 8] >> i % 8 & 1;
  return never_reached + skipped;
}
