#include "client_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in server_address(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int fail(int fd) {
  int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

/** Takes little at a time, as a client far away does: what it does not read waits in the server, not in the kernel. */
static void take_little(int fd) {
  int receive_bytes = 8192;
  int segment_bytes = 1448;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes);
}

int client_socket_begin(int port, int address, bool is_slow) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (is_slow) take_little(fd);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  // Reset at close, so that thousands of ports do not stay in TIME_WAIT for the next run.
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  // 127.x.0.1 and up: many addresses, so that none runs out of ports; x keeps two drivers apart.
  uint32_t block = 1 + (uint32_t)getpid() % 250;
  struct sockaddr_in source = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(127u << 24 | block << 16 | (uint32_t)(1 + address))};
  if (bind(fd, (struct sockaddr *)&source, sizeof source)) return fail(fd);
  struct sockaddr_in server = server_address(port);
  if (connect(fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) return fail(fd);
  return fd;
}

int client_socket_open(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in server = server_address(port);
  if (connect(fd, (struct sockaddr *)&server, sizeof server)) return fail(fd);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}
