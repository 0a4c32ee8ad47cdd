#include "poster.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_socket.h"

#define READ_BYTES_MAX 65536

static char *request_head(const struct options *options, size_t body_bytes) {
  char *head;
  int length = asprintf(&head,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        options->post_path, options->post_port, body_bytes);
  return length < 0 ? NULL : head;
}

void poster_prepare(struct poster *poster, const struct options *options, int epoll, uint64_t event) {
  *poster = (struct poster){.options = options, .epoll = epoll, .event = event, .fd = -1};
  bool is_http = options->post_way == POST_HTTP;
  size_t body_bytes = strlen(options->post_before) + (size_t)options->payload_bytes + strlen(options->post_after);
  char *head = is_http ? request_head(options, body_bytes) : strdup("");
  char *fill = malloc((size_t)options->payload_bytes + 1);
  if (!head || !fill) goto out_of_memory;
  for (int i = 0; i < options->payload_bytes; i++) fill[i] = (char)('a' + i % 26);
  fill[options->payload_bytes] = 0;
  int length = asprintf(&poster->request, "%s%s%s%s%s", head, options->post_before, fill, options->post_after,
                        is_http ? "" : "\n");
  if (length < 0) goto out_of_memory;
  poster->request_bytes = (size_t)length;
  poster->stamp_offset = strlen(head) + strlen(options->post_before);
  free(head);
  free(fill);
  return;
out_of_memory:
  fprintf(stderr, "driver: out of memory\n");
  exit(1);
}

bool poster_is_free(const struct poster *poster) {
  return poster->unanswered < poster->options->post_pipeline;
}

static void refuse(struct poster *poster, const char *reason) {
  poster->refused++;
  if (!poster->first_refusal[0]) snprintf(poster->first_refusal, REFUSAL_BYTES_MAX, "%s", reason);
}

static void disconnect(struct poster *poster) {
  close(poster->fd);
  poster->fd = -1;
  poster->unanswered = 0;
  poster->http = (struct http_reader){0};
}

static bool connect_again(struct poster *poster) {
  poster->fd = client_socket_open(poster->options->post_port);
  if (poster->fd < 0) return false;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = poster->event};
  return !epoll_ctl(poster->epoll, EPOLL_CTL_ADD, poster->fd, &event);
}

static bool send_all(int fd, const char *bytes, size_t length) {
  while (length) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent > 0) {
      bytes += sent;
      length -= (size_t)sent;
    } else if (sent < 0 && errno == EAGAIN) {
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      if (poll(&writable, 1, 1000) <= 0) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void poster_post(struct poster *poster, struct stamp stamp) {
  stamp_write(poster->request + poster->stamp_offset, stamp);
  if (poster->fd < 0 && !connect_again(poster)) {
    refuse(poster, strerror(errno));
    return;
  }
  if (poster->options->post_way == POST_HTTP) poster->unanswered++;
  if (send_all(poster->fd, poster->request, poster->request_bytes)) return;
  refuse(poster, strerror(errno));
  disconnect(poster);
}

static void read_responses(struct poster *poster, const char *bytes, size_t length) {
  const struct http_reader *http = &poster->http;
  while (length) {
    struct http_part part;
    size_t taken = http_read(&poster->http, bytes, length, &part);
    bytes += taken;
    length -= taken;
    if (part.is_broken) {
      refuse(poster, "the server does not speak HTTP");
      disconnect(poster);
      return;
    }
    if (part.is_head_end && (http->status < 200 || http->status > 299)) refuse(poster, http->status_line);
    if (part.is_end) poster->unanswered--;
  }
}

void poster_on_event(struct poster *poster) {
  static char bytes[READ_BYTES_MAX];
  ssize_t received = recv(poster->fd, bytes, sizeof bytes, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received <= 0) {
    // A server may close a connection that was idle; the next post opens another one.
    if (poster->unanswered) refuse(poster, "closed by the server before the answer");
    disconnect(poster);
    return;
  }
  if (poster->options->post_way == POST_HTTP) read_responses(poster, bytes, (size_t)received);
}
