#include "options.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stamp.h"

enum value_kind { NUMBER, TEXT };

struct flag {
  const char *name;
  enum value_kind kind;
  size_t field;
  long least;
  const char *meaning;
};

#define FIELD(name) offsetof(struct options, name)

static const struct flag flags[] = {
    {"--port", NUMBER, FIELD(port), 1, "port of the WebSocket server on 127.0.0.1"},
    {"--path", TEXT, FIELD(path), 0, "path of the upgrade request (/)"},
    {"--connections", NUMBER, FIELD(connections), 1, "how many connections to open (100)"},
    {"--connecting", NUMBER, FIELD(connecting_max), 1, "how many of them at the same time (256)"},
    {"--per-address", NUMBER, FIELD(per_address_max), 1, "connections from one 127.x address (1000)"},
    {"--connect-timeout-ms", NUMBER, FIELD(connect_timeout_ms), 1, "all must be ready by then (60000)"},
    {"--hello", TEXT, FIELD(hello), 0, "text frame to send after the upgrade"},
    {"--ready", TEXT, FIELD(ready), 0, "a connection is ready when a frame starts with this"},
    {"--ping-text", TEXT, FIELD(ping_text), 0, "a text frame that is exactly this …"},
    {"--pong-text", TEXT, FIELD(pong_text), 0, "… is answered with this"},
    {"--keepalive", TEXT, FIELD(keepalive), 0, "text frame each connection sends between phases"},
    {"--server-pid", NUMBER, FIELD(server_pid), 1, "process whose CPU time and memory are sampled"},
    {"--cpu", NUMBER, FIELD(cpu), 0, "core to pin the driver to"},
    {"--settle-ms", NUMBER, FIELD(settle_ms), 0, "quiet time before the memory sample (1000)"},
    {"--stall-ms", NUMBER, FIELD(stall_ms), 1, "end a phase when nothing arrived for so long (5000)"},
    {"--nap-us", NUMBER, FIELD(nap_us), 0, "sleep between two looks at the sockets (150)"},
    {"--post-raw", NUMBER, FIELD(post_port), 1, "post lines to this TCP port"},
    {"--post-http", NUMBER, FIELD(post_port), 1, "post by HTTP to this port"},
    {"--post-path", TEXT, FIELD(post_path), 0, "path of the HTTP posts (/api/messages)"},
    {"--post-before", TEXT, FIELD(post_before), 0, "text before each payload"},
    {"--post-after", TEXT, FIELD(post_after), 0, "text after each payload"},
    {"--payload-bytes", NUMBER, FIELD(payload_bytes), STAMP_BYTES, "size of each payload (100)"},
    {"--phase", TEXT, 0, 0, "burst:M:W  M messages, W outstanding · rate:R:T  R a second for T seconds · idle:T"},
};
#define FLAG_COUNT (sizeof flags / sizeof *flags)

static void fail(const char *what, const char *word) {
  fprintf(stderr, "driver: %s%s\n\ndriver --port N [flag value …]\n", what, word);
  for (size_t i = 0; i < FLAG_COUNT; i++) fprintf(stderr, "  %-22s %s\n", flags[i].name, flags[i].meaning);
  exit(2);
}

static const struct flag *find_flag(const char *word) {
  for (size_t i = 0; i < FLAG_COUNT; i++)
    if (!strcmp(flags[i].name, word)) return &flags[i];
  fail("unknown flag ", word);
  return NULL;
}

static void set_value(struct options *options, const struct flag *flag, const char *value) {
  void *field = (char *)options + flag->field;
  if (flag->kind == TEXT) {
    *(const char **)field = value;
    return;
  }
  char *end;
  long number = strtol(value, &end, 10);
  if (end == value || *end || number < flag->least || number > INT_MAX) fail("not a fitting number for ", flag->name);
  *(int *)field = (int)number;
}

void options_read(struct options *options, int count, char **words) {
  *options = (struct options){
      .path = "/",
      .connections = 100,
      .connecting_max = 256,
      .per_address_max = 1000,
      .connect_timeout_ms = 60000,
      .cpu = -1,
      .settle_ms = 1000,
      .stall_ms = 5000,
      .nap_us = 150,
      .post_path = "/api/messages",
      .post_before = "",
      .post_after = "",
      .payload_bytes = 100,
  };
  for (int i = 1; i < count; i += 2) {
    const struct flag *flag = find_flag(words[i]);
    if (i + 1 == count) fail("no value for ", words[i]);
    const char *value = words[i + 1];
    if (!strcmp(flag->name, "--phase")) {
      if (options->phase_count == PHASES_MAX) fail("too many phases: ", value);
      options->phases[options->phase_count++] = value;
      continue;
    }
    set_value(options, flag, value);
    if (!strcmp(flag->name, "--post-raw")) options->post_way = POST_RAW_LINE;
    if (!strcmp(flag->name, "--post-http")) options->post_way = POST_HTTP;
  }
  if (!options->port) fail("--port is missing", "");
  if (!options->ping_text != !options->pong_text) fail("--ping-text and --pong-text go together", "");
}
