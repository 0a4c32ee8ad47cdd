#include "connections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_socket.h"

// A server to which thousands come at once may let some wait too long.
#define TRIES_MAX 20
#define READ_BYTES_MAX (256 * 1024)

static void fail_out_of_memory(void) {
  fprintf(stderr, "driver: out of memory\n");
  exit(1);
}

void connections_prepare(struct connections *connections, const struct options *options, int epoll) {
  *connections = (struct connections){.options = options, .transport = options->transport, .epoll = epoll};
  connections->all = calloc((size_t)options->connections + 1, sizeof *connections->all);
  if (!connections->all) fail_out_of_memory();
  calls_prepare(&connections->calls, options);
  for (int i = 0; i < options->connections; i++) {
    struct connection *connection = &connections->all[i];
    for (int name = 0; name < LANES; name++) connection->lanes[name].fd = -1;
    if (options->call.before.data && !(connection->caller = calloc(1, sizeof *connection->caller)))
      fail_out_of_memory();
    if (options->keeps_position && !(connection->resumption = calloc(1, sizeof *connection->resumption)))
      fail_out_of_memory();
  }
}

uint32_t connection_index(const struct connections *connections, const struct connection *connection) {
  return (uint32_t)(connection - connections->all);
}

void connection_close_lane(struct connection *connection, enum lane_name name) {
  struct lane *lane = &connection->lanes[name];
  if (lane->fd >= 0) close(lane->fd);
  *lane = (struct lane){.fd = -1};
}

bool connection_is_open(const struct connection *connection) {
  return connection->state != CLOSED && connection->state != AWAY;
}

void connection_leave(struct connections *connections, struct connection *connection) {
  if (connection->state == READY) connections->ready--;
  else connections->on_their_way--;
  connections->away++;
  connection->state = AWAY;
  for (int name = 0; name < LANES; name++) connection_close_lane(connection, (enum lane_name)name);
}

/** One that was there once, and that nobody has told to stay away; also where it has not got through a few times. */
static bool may_return(const struct connections *connections, const struct connection *connection) {
  if (!connection->resumption || connection->resumption->is_told_to_stay_away) return false;
  if (!connections->is_returning) return connection->state == READY && connection->is_silent;
  return connection->resumption->tries < TRIES_MAX;
}

void connection_give_up(struct connections *connections, struct connection *connection, const char *what,
                        const char *detail) {
  if (!connection_is_open(connection)) return;
  if (may_return(connections, connection)) {
    connection_leave(connections, connection);
    return;
  }
  if (!connections->first_failure[0])
    snprintf(connections->first_failure, FAILURE_BYTES_MAX, "%s: %.100s", what, detail);
  if (connection->state == READY) {
    connections->ready--;
    connections->closed++;
  } else {
    connections->on_their_way--;
    // Who was there once and does not come back is closed.
    if (connections->is_returning) connections->closed++;
    else connections->failed++;
  }
  connection->state = CLOSED;
  for (int name = 0; name < LANES; name++) connection_close_lane(connection, (enum lane_name)name);
}

void connection_become_ready(struct connections *connections, struct connection *connection) {
  connection->state = READY;
  connections->on_their_way--;
  connections->ready++;
  if (!connections->is_returning) return;
  connections->returns++;
  connection->resumption->tries = 0;
}

void connection_open_lane(struct connections *connections, struct connection *connection, enum lane_name name) {
  const struct options *options = connections->options;
  uint32_t index = connection_index(connections, connection);
  int fd = client_socket_begin(options->port, (int)index / options->per_address_max,
                               connection_is_slow(connections, connection));
  if (fd < 0) {
    connection_give_up(connections, connection, "connect", strerror(errno));
    return;
  }
  connection->lanes[name] = (struct lane){.fd = fd};
  struct epoll_event event = {.events = EPOLLOUT, .data.u64 = (uint64_t)index * LANES + name};
  epoll_ctl(connections->epoll, EPOLL_CTL_ADD, fd, &event);
}

void connections_start_some(struct connections *connections) {
  const struct options *options = connections->options;
  while (connections->started < options->connections && connections->on_their_way < options->connecting_max) {
    struct connection *connection = &connections->all[connections->started++];
    connections->on_their_way++;
    connection->state = connections->transport->is_negotiated ? NEGOTIATING : OPENING;
    connection_open_lane(connections, connection, connections->transport->first_lane);
  }
}

void connection_send(struct connections *connections, struct connection *connection, enum lane_name name,
                     const char *bytes, size_t length) {
  ssize_t sent = send(connection->lanes[name].fd, bytes, length, MSG_NOSIGNAL);
  if (sent == (ssize_t)length) return;
  connection_give_up(connections, connection, "send", sent < 0 ? strerror(errno) : "the server does not read");
}

void connections_keep_alive(struct connections *connections) {
  const struct transport *transport = connections->transport;
  struct bytes keepalive = connections->options->keepalive;
  if (!keepalive.data || !transport->send) return;
  for (int i = 0; i < connections->started; i++) {
    struct connection *connection = &connections->all[i];
    if (connection->state == READY) transport->send(connections, connection, keepalive);
  }
}

static void finish_connecting(struct connections *connections, struct connection *connection, enum lane_name name) {
  struct lane *lane = &connection->lanes[name];
  int reason = 0;
  socklen_t size = sizeof reason;
  getsockopt(lane->fd, SOL_SOCKET, SO_ERROR, &reason, &size);
  if (reason) {
    connection_give_up(connections, connection, "connect", strerror(reason));
    return;
  }
  uint32_t index = connection_index(connections, connection);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)index * LANES + name};
  epoll_ctl(connections->epoll, EPOLL_CTL_MOD, lane->fd, &event);
  lane->is_connected = true;
  connections->transport->on_open(connections, connection, name);
}

static void receive(struct connections *connections, struct connection *connection, enum lane_name name) {
  static char bytes[READ_BYTES_MAX];
  ssize_t received = recv(connection->lanes[name].fd, bytes, sizeof bytes, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received <= 0) {
    const char *detail = received ? strerror(errno) : "end of stream";
    connection_give_up(connections, connection, "closed by the server", detail);
    return;
  }
  connections->transport->on_bytes(connections, connection, name, bytes, (size_t)received);
}

void connections_on_event(struct connections *connections, uint32_t index, enum lane_name name) {
  struct connection *connection = &connections->all[index];
  const struct lane *lane = &connection->lanes[name];
  // An event of a socket that was closed meanwhile may still be in the list.
  if (lane->fd < 0) return;
  if (lane->is_connected) receive(connections, connection, name);
  else finish_connecting(connections, connection, name);
}
