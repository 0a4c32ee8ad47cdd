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
#include "clock.h"

#define READ_BYTES_MAX 65536

// In every receipt of ours, and of the servers that we are compared with.
static const char receipt_mark[] = "\"position\":";

void poster_prepare(struct poster *poster, const struct options *options, int epoll, uint64_t event) {
  *poster = (struct poster){.options = options, .epoll = epoll, .event = event, .fd = -1};
  post_text_prepare(&poster->text, options);
  poster->due_ns = calloc((size_t)options->post_pipeline, sizeof *poster->due_ns);
  if (poster->due_ns) return;
  fprintf(stderr, "driver: out of memory\n");
  exit(1);
}

void poster_begin_phase(struct poster *poster) {
  poster->answered = 0;
  poster->receipts = 0;
  histogram_clear(&poster->answer_ns);
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

static bool connect_again(struct poster *poster) {
  poster->fd = client_socket_open(poster->options->post_port);
  if (poster->fd < 0) return false;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = poster->event};
  if (epoll_ctl(poster->epoll, EPOLL_CTL_ADD, poster->fd, &event)) return false;
  struct bytes hello = poster->options->post_hello;
  return !hello.length || send_all(poster->fd, hello.data, hello.length);
}

void poster_post(struct poster *poster, struct stamp stamp) {
  post_text_stamp(&poster->text, stamp);
  if (poster->fd < 0 && !connect_again(poster)) {
    refuse(poster, strerror(errno));
    return;
  }
  if (poster->options->post_way == POST_HTTP) {
    poster->due_ns[poster->next_due++ % (uint64_t)poster->options->post_pipeline] = stamp.posted_ns;
    poster->unanswered++;
  }
  if (send_all(poster->fd, poster->text.text, poster->text.length)) return;
  refuse(poster, strerror(errno));
  disconnect(poster);
}

/** Counts the receipts in an answer's body, in whatever pieces it comes. */
static void count_receipts(struct poster *poster, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == receipt_mark[poster->marked]) poster->marked++;
    else poster->marked = bytes[i] == receipt_mark[0];
    if (receipt_mark[poster->marked]) continue;
    poster->receipts++;
    poster->marked = 0;
  }
}

static void end_response(struct poster *poster) {
  uint64_t pipeline = (uint64_t)poster->options->post_pipeline;
  uint64_t due_ns = poster->due_ns[(poster->next_due - (uint64_t)poster->unanswered) % pipeline];
  uint64_t now_ns = clock_now_ns();
  histogram_add(&poster->answer_ns, now_ns > due_ns ? now_ns - due_ns : 0);
  poster->unanswered--;
  poster->answered++;
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
    count_receipts(poster, part.body, part.length);
    if (part.is_end && poster->unanswered) end_response(poster);
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
