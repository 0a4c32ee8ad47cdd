// Clients that are cut off and come back, and clients that do not read for a while.
#include <string.h>
#include <sys/epoll.h>

#include "connections.h"

void connections_cut(struct connections *connections) {
  for (int i = 0; i < connections->started; i++) {
    struct connection *connection = &connections->all[i];
    if (connection->state == READY) connection_leave(connections, connection);
  }
}

/** Begun in one go, which takes a few milliseconds: the driver's own posts and their answers have to go between. */
#define BEGUN_AT_ONCE 200

void connections_return_some(struct connections *connections) {
  const struct options *options = connections->options;
  int looked_at = 0;
  int begun = 0;
  while (connections->away && connections->on_their_way < options->returning_max && looked_at < connections->started &&
         begun < BEGUN_AT_ONCE) {
    struct connection *connection = &connections->all[connections->next_away];
    connections->next_away = (connections->next_away + 1) % connections->started;
    looked_at++;
    if (connection->state != AWAY) continue;
    begun++;
    connections->away--;
    connections->return_tries++;
    connection->resumption->tries++;
    connections->on_their_way++;
    connection->state = OPENING;
    connection->frames = (struct frame_reader){0};
    connection->rest = (struct stamp_rest){0};
    resumption_begin_stream(connection->resumption);
    connection_open_lane(connections, connection, MAIN_LANE);
  }
}

void connections_let_slow_read(struct connections *connections, bool is_reading) {
  for (int i = 0; i < connections->started; i++) {
    struct connection *connection = &connections->all[i];
    const struct lane *lane = &connection->lanes[MAIN_LANE];
    if (!connection_is_slow(connections, connection)) continue;
    connection->is_silent = !is_reading;
    // The server may have closed it meanwhile, which it notices when it says that it is there.
    if (connection->state != READY) continue;
    // Not even the end of the connection is looked at: epoll would say that without being asked.
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)i * LANES + MAIN_LANE};
    epoll_ctl(connections->epoll, is_reading ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, lane->fd, &event);
  }
}
