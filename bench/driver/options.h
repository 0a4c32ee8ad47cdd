// What the driver is asked to do, read once from the command line.
#ifndef OPTIONS_H
#define OPTIONS_H

#define PHASES_MAX 16

enum post_way { POST_NOTHING, POST_RAW_LINE, POST_HTTP };

struct options {
  int port;
  const char *path;
  int connections;
  int connecting_max;      // connections that are on their way at the same time
  int per_address_max;     // connections from one 127.x source address
  int connect_timeout_ms;
  const char *hello;       // first text frame of each connection, NULL for none
  const char *ready;       // a connection is ready when a frame starts with this, NULL: after the upgrade
  const char *ping_text;   // a text frame that is exactly this …
  const char *pong_text;   // … is answered with this
  const char *keepalive;   // text frame each connection sends between phases, NULL for none
  int server_pid;          // 0: the server is not sampled
  int cpu;                 // the driver's core, -1: not pinned
  int settle_ms;           // quiet time before the memory sample
  int stall_ms;            // a phase ends when nothing arrived for so long
  int nap_us;              // time asleep between two looks at the sockets while messages are outstanding
  enum post_way post_way;
  int post_port;
  const char *post_path;
  const char *post_before; // what stands around the stamped payload
  const char *post_after;
  int payload_bytes;
  const char *phases[PHASES_MAX];
  int phase_count;
};

/** Reads the command line; prints the usage and ends the process where it is wrong. */
void options_read(struct options *options, int count, char **words);

#endif
