#include "connections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_socket.h"
#include "clock.h"

#define READ_BYTES_MAX (256 * 1024)
#define RESPONSE_BYTES_MAX 4096
#define TEXT_BYTES_MAX 1024
// The key of RFC 6455's own example, and the answer that proves that the server has understood it.
#define UPGRADE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void fail_out_of_memory(void) {
  fprintf(stderr, "driver: out of memory\n");
  exit(1);
}

void connections_prepare(struct connections *connections, const struct options *options, int epoll) {
  *connections = (struct connections){.options = options, .epoll = epoll};
  connections->all = calloc((size_t)options->connections, sizeof *connections->all);
  int length = asprintf(&connections->upgrade_request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: " UPGRADE_KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        options->path, options->port);
  if (!connections->all || length < 0) fail_out_of_memory();
}

/** Closes it; the first reason of all is kept for the report. */
static void give_up(struct connections *connections, struct connection *connection, const char *what,
                    const char *detail) {
  if (connection->state == CLOSED) return;
  if (!connections->first_failure[0])
    snprintf(connections->first_failure, FAILURE_BYTES_MAX, "%s: %.100s", what, detail);
  if (connection->state == READY) {
    connections->ready--;
    connections->closed++;
  } else {
    connections->on_their_way--;
    connections->failed++;
  }
  if (connection->fd >= 0) close(connection->fd);
  free(connection->response);
  connection->response = NULL;
  connection->state = CLOSED;
}

static void start(struct connections *connections, int index) {
  struct connection *connection = &connections->all[index];
  connection->state = CONNECTING;
  connections->on_their_way++;
  connection->fd = client_socket_begin(connections->options->port, index / connections->options->per_address_max);
  if (connection->fd < 0) {
    give_up(connections, connection, "connect", strerror(errno));
    return;
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)index};
  epoll_ctl(connections->epoll, EPOLL_CTL_ADD, connection->fd, &event);
}

void connections_start_some(struct connections *connections) {
  const struct options *options = connections->options;
  while (connections->started < options->connections && connections->on_their_way < options->connecting_max)
    start(connections, connections->started++);
}

/** What clients send is far smaller than a socket's buffer: where it does not fit, the server has stopped reading. */
static void send_bytes(struct connections *connections, struct connection *connection, const char *bytes,
                       size_t length) {
  ssize_t sent = send(connection->fd, bytes, length, MSG_NOSIGNAL);
  if (sent == (ssize_t)length) return;
  give_up(connections, connection, "send", sent < 0 ? strerror(errno) : "the server does not read");
}

static void send_frame(struct connections *connections, struct connection *connection, enum opcode opcode,
                       const char *payload, size_t length) {
  char frame[TEXT_BYTES_MAX + FRAME_HEADER_BYTES_MAX];
  if (length > TEXT_BYTES_MAX) length = TEXT_BYTES_MAX;
  send_bytes(connections, connection, frame, frame_write(frame, opcode, payload, length));
}

void connections_send_text(struct connections *connections, const char *text) {
  for (int i = 0; i < connections->started; i++)
    if (connections->all[i].state == READY)
      send_frame(connections, &connections->all[i], OP_TEXT, text, strlen(text));
}

static void become_ready(struct connections *connections, struct connection *connection) {
  connection->state = READY;
  connections->on_their_way--;
  connections->ready++;
}

static void upgrade(struct connections *connections, struct connection *connection, uint32_t index) {
  int reason = 0;
  socklen_t size = sizeof reason;
  getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &reason, &size);
  if (reason) {
    give_up(connections, connection, "connect", strerror(reason));
    return;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
  epoll_ctl(connections->epoll, EPOLL_CTL_MOD, connection->fd, &event);
  connection->state = UPGRADING;
  connection->response = malloc(RESPONSE_BYTES_MAX);
  if (!connection->response) fail_out_of_memory();
  send_bytes(connections, connection, connections->upgrade_request, strlen(connections->upgrade_request));
}

static void greet(struct connections *connections, struct connection *connection) {
  connection->state = GREETING;
  const struct options *options = connections->options;
  if (options->hello) send_frame(connections, connection, OP_TEXT, options->hello, strlen(options->hello));
  if (!options->ready && connection->state == GREETING) become_ready(connections, connection);
}

/** Reads the answer to the upgrade request; says how many of the bytes belong to it. */
static size_t read_response(struct connections *connections, struct connection *connection, const char *bytes,
                            size_t length) {
  static const char end[] = "\r\n\r\n";
  size_t taken = 0;
  while (taken < length && connection->response_length < RESPONSE_BYTES_MAX - 1) {
    connection->response[connection->response_length++] = bytes[taken++];
    connection->response[connection->response_length] = 0;
    if (connection->response_length < 4) continue;
    if (strcmp(connection->response + connection->response_length - 4, end) != 0) continue;
    bool is_accepted = !strncmp(connection->response, "HTTP/1.1 101", 12) &&
                       strstr(connection->response, UPGRADE_ACCEPT);
    if (!is_accepted) {
      give_up(connections, connection, "upgrade refused", strtok(connection->response, "\r\n"));
      return length;
    }
    free(connection->response);
    connection->response = NULL;
    greet(connections, connection);
    return taken;
  }
  if (connection->response_length == RESPONSE_BYTES_MAX - 1)
    give_up(connections, connection, "upgrade", "the answer is too long");
  return taken;
}

struct reading {
  struct connections *connections;
  struct connection *connection;
  uint64_t now_ns;
};

static void on_stamp(void *context, struct stamp stamp) {
  struct reading *reading = context;
  arrivals_enter(&reading->connections->arrivals, &reading->connection->ledger, stamp, reading->now_ns);
}

static bool is_text(const struct frame_reader *frames, const char *text) {
  size_t length = strlen(text);
  return frames->payload_bytes == length && frames->start_length == length && !memcmp(frames->start, text, length);
}

static void on_frame_end(struct connections *connections, struct connection *connection) {
  const struct options *options = connections->options;
  const struct frame_reader *frames = &connection->frames;
  if (frames->opcode == OP_PING) {
    send_frame(connections, connection, OP_PONG, frames->start, frames->start_length);
  } else if (frames->opcode == OP_CLOSE) {
    int code = frames->start_length < 2 ? 1005 : (uint8_t)frames->start[0] << 8 | (uint8_t)frames->start[1];
    char detail[32];
    snprintf(detail, sizeof detail, "code %d", code);
    give_up(connections, connection, "closed by the server", detail);
  } else if (connection->state == GREETING) {
    size_t length = strlen(options->ready);
    if (frames->start_length >= length && !memcmp(frames->start, options->ready, length))
      become_ready(connections, connection);
  } else if (options->ping_text && is_text(frames, options->ping_text)) {
    send_frame(connections, connection, OP_TEXT, options->pong_text, strlen(options->pong_text));
  }
}

static void read_frames(struct reading *reading, const char *bytes, size_t length) {
  struct connection *connection = reading->connection;
  while (length && connection->state != CLOSED) {
    struct frame_part part;
    size_t taken = frame_read(&connection->frames, bytes, length, &part);
    bytes += taken;
    length -= taken;
    if (part.is_broken) {
      give_up(reading->connections, connection, "protocol", "the server sent a broken frame");
      return;
    }
    if (part.length && connection->frames.opcode < OP_CLOSE) {
      reading->connections->arrivals.payload_bytes += part.length;
      stamp_find(&connection->rest, part.payload, part.length, on_stamp, reading);
    }
    if (part.is_end) on_frame_end(reading->connections, connection);
  }
}

static void receive(struct connections *connections, struct connection *connection) {
  static char bytes[READ_BYTES_MAX];
  ssize_t received = recv(connection->fd, bytes, sizeof bytes, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received <= 0) {
    give_up(connections, connection, "closed by the server", received ? strerror(errno) : "end of stream");
    return;
  }
  size_t taken = 0;
  if (connection->state == UPGRADING) taken = read_response(connections, connection, bytes, (size_t)received);
  struct reading reading = {connections, connection, clock_now_ns()};
  read_frames(&reading, bytes + taken, (size_t)received - taken);
}

void connections_on_event(struct connections *connections, uint32_t index) {
  struct connection *connection = &connections->all[index];
  switch (connection->state) {
    case NOT_STARTED:
    case CLOSED:
      return;
    case CONNECTING:
      upgrade(connections, connection, index);
      return;
    case UPGRADING:
    case GREETING:
    case READY:
      receive(connections, connection);
  }
}

void connections_begin_phase(struct connections *connections, uint32_t first) {
  arrivals_begin(&connections->arrivals, first);
  for (int i = 0; i < connections->started; i++) {
    struct connection *connection = &connections->all[i];
    ledger_begin(&connection->ledger, first);
    connection->is_in_phase = connection->state == READY;
  }
}

uint64_t connections_lost(const struct connections *connections) {
  uint64_t lost = 0;
  for (int i = 0; i < connections->started; i++) {
    const struct connection *connection = &connections->all[i];
    if (connection->is_in_phase) lost += ledger_lost(&connection->ledger, connections->arrivals.end);
  }
  return lost;
}
