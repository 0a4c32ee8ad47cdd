// What the driver is asked to do, read once from the command line.
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "bytes.h"
#include "message_cut.h"
#include "transport.h"

#define PHASES_MAX 16
/** Stands in what is posted for the message's key, five digits. */
#define POST_KEY "{key}"

enum post_way { POST_NOTHING, POST_RAW_LINE, POST_HTTP };

/** A call, or its answer: what stands around the id and the text. */
struct call_form {
  struct bytes before; // data is NULL where no calls are made
  struct bytes between;
  struct bytes after;
};

struct options {
  int port;
  const struct transport *transport;
  const char *path;
  int connections;
  int connecting_max;      // connections that are on their way at the same time
  int returning_max;       // the same of those that come back
  int per_address_max;     // connections from one 127.x source address
  int connect_timeout_ms;
  bool keeps_position;     // clients say their position when they come back
  int slow;                // the last so many connections take little at a time, and nothing for a while
  int receivers;           // messages are for the first so many connections; 0: for all
  int keys;                // messages carry so many keys in turn, 0: none
  struct bytes hello;      // what each client says first
  struct bytes ready;      // a client is ready when it gets something that starts with this; not given: after the upgrade
  struct bytes ping_text;  // a frame that is exactly this …
  struct bytes pong_text;  // … is answered with this
  struct bytes keepalive;  // what each client says between phases
  struct call_form call;
  struct call_form answer;
  enum message_cut answer_cut;
  int server_pid;          // 0: the server is not sampled
  int cpu;                 // the driver's core, -1: not pinned
  int settle_ms;           // quiet time before the memory sample
  int quiet_ms;            // before each phase: the server works off keep-alives and what the last phase has left
  int grace_ms;            // after each phase, for what should not come: doubled messages
  int stall_ms;            // a phase ends when nothing arrived for so long
  int nap_us;              // time asleep between two looks at the sockets while messages are outstanding
  enum post_way post_way;
  int post_port;
  const char *post_path;
  int post_batch;          // messages in one HTTP request
  const char *post_type;   // media type of the requests
  struct bytes post_hello; // what a poster on TCP says first
  int post_pipeline;       // HTTP posts on their way that are not answered
  const char *post_before; // what stands around the stamped payload; `{key}` stands for five digits
  const char *post_after;
  int payload_bytes;
  const char *phases[PHASES_MAX];
  int phase_count;
};

/** Reads the command line; prints the usage and ends the process where it is wrong. */
void options_read(struct options *options, int count, char **words);

#endif
