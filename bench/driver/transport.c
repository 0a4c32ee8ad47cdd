#include "transport.h"

#include <string.h>

static const struct transport *const transports[] = {
    &websocket_transport,
    &server_sent_events_transport,
    &long_polling_transport,
};

const struct transport *transport_find(const char *name) {
  for (unsigned i = 0; i < sizeof transports / sizeof *transports; i++)
    if (!strcmp(transports[i]->name, name)) return transports[i];
  return NULL;
}
