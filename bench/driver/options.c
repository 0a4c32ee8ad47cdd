#include "options.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_text.h"
#include "calls.h"
#include "stamp.h"

enum value_kind { NUMBER, FLAG, TEXT, BYTES, TRANSPORT, CUT };

struct flag {
  const char *name;
  enum value_kind kind;
  size_t field;
  long least;
  const char *meaning;
};

#define FIELD(name) offsetof(struct options, name)

static const struct flag flags[] = {
    {"--port", NUMBER, FIELD(port), 1, "port of the server on 127.0.0.1"},
    {"--path", TEXT, FIELD(path), 0, "path of the WebSocket or hub; {n}: the client's number (/)"},
    {"--transport", TRANSPORT, FIELD(transport), 0, "websocket, server-sent-events or long-polling (websocket)"},
    {"--connections", NUMBER, FIELD(connections), 0, "how many connections to open (100)"},
    {"--connecting", NUMBER, FIELD(connecting_max), 1, "how many of them at the same time (256)"},
    {"--returning", NUMBER, FIELD(returning_max), 1, "the same of those that come back (all)"},
    {"--per-address", NUMBER, FIELD(per_address_max), 1, "connections from one 127.x address (1000)"},
    {"--connect-timeout-ms", NUMBER, FIELD(connect_timeout_ms), 1, "all must be ready by then (60000)"},
    {"--hello", BYTES, FIELD(hello), 0, "what each client says first: text, or any bytes as hex:7b7d1e"},
    {"--ready", BYTES, FIELD(ready), 0, "a client is ready when it gets something that starts with this"},
    {"--ping-text", BYTES, FIELD(ping_text), 0, "a WebSocket frame that is exactly this …"},
    {"--pong-text", BYTES, FIELD(pong_text), 0, "… is answered with this"},
    {"--keepalive", BYTES, FIELD(keepalive), 0, "frame that each client sends between phases"},
    {"--call-before", BYTES, FIELD(call.before), 0, "a call: what stands before its id of eight digits, …"},
    {"--call-between", BYTES, FIELD(call.between), 0, "… between id and text …"},
    {"--call-after", BYTES, FIELD(call.after), 0, "… and after the text"},
    {"--answer-before", BYTES, FIELD(answer.before), 0, "an answer: what stands before the id, …"},
    {"--answer-between", BYTES, FIELD(answer.between), 0, "… between id and text …"},
    {"--answer-after", BYTES, FIELD(answer.after), 0, "… and after the text"},
    {"--answer-cut", CUT, FIELD(answer_cut), 0, "frames, separators or lengths: what ends an answer (frames)"},
    {"--keeps-position", FLAG, FIELD(keeps_position), 0, "yes: clients say their position when they connect (no)"},
    {"--slow", NUMBER, FIELD(slow), 0, "the last so many connections take little at a time (0)"},
    {"--receivers", NUMBER, FIELD(receivers), 1, "messages are for the first so many connections only (all)"},
    {"--keys", NUMBER, FIELD(keys), 1, "messages carry so many keys in turn, where {key} stands in --post-before"},
    {"--server-pid", NUMBER, FIELD(server_pid), 1, "process whose CPU time and memory are sampled"},
    {"--cpu", NUMBER, FIELD(cpu), 0, "core to pin the driver to"},
    {"--settle-ms", NUMBER, FIELD(settle_ms), 0, "quiet time before the memory sample (1000)"},
    {"--quiet-ms", NUMBER, FIELD(quiet_ms), 0, "quiet time before each phase (300)"},
    {"--grace-ms", NUMBER, FIELD(grace_ms), 0, "time after each phase in which doubled messages still count (200)"},
    {"--stall-ms", NUMBER, FIELD(stall_ms), 1, "end a phase when nothing arrived for so long (5000)"},
    {"--nap-us", NUMBER, FIELD(nap_us), 0, "sleep between two looks at the sockets (150)"},
    {"--post-raw", NUMBER, FIELD(post_port), 1, "post lines to this TCP port"},
    {"--post-http", NUMBER, FIELD(post_port), 1, "post by HTTP to this port"},
    {"--post-path", TEXT, FIELD(post_path), 0, "path of the HTTP posts (/api/messages)"},
    {"--post-pipeline", NUMBER, FIELD(post_pipeline), 1, "HTTP posts sent before the first is answered (1)"},
    {"--post-hello", BYTES, FIELD(post_hello), 0, "what is said on a TCP connection before the first line"},
    {"--post-batch", NUMBER, FIELD(post_batch), 1, "messages in one HTTP request, a line each (1)"},
    {"--post-type", TEXT, FIELD(post_type), 0, "media type of the HTTP posts (application/json)"},
    {"--post-before", TEXT, FIELD(post_before), 0, "text before each payload"},
    {"--post-after", TEXT, FIELD(post_after), 0, "text after each payload"},
    {"--payload-bytes", NUMBER, FIELD(payload_bytes), STAMP_BYTES, "size of each payload (100)"},
    {"--phase", TEXT, 0, 0, "burst:M:W  M messages, W outstanding · rate:R:T  R a second for T seconds · idle:T · "
                          "calls:M:W  M calls of each client, W outstanding · posts:M:W  M posts, W requests not "
                          "answered · cut:M:R  all are cut off, miss M messages and come back amid R posts a second · "
                          "slow:R:T  like rate, while the slow ones do not read; then they do"},
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
  char *end;
  switch (flag->kind) {
    case TEXT:
      *(const char **)field = value;
      return;
    case BYTES:
      if (!bytes_parse(value, field)) fail("no hex digits after ", flag->name);
      return;
    case FLAG:
      *(bool *)field = !strcmp(value, "yes");
      if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) fail("yes or no, after ", flag->name);
      return;
    case CUT:
      if (!message_cut_parse(value, field)) fail("not a way to cut: ", value);
      return;
    case TRANSPORT:
      *(const struct transport **)field = transport_find(value);
      if (!*(const struct transport **)field) fail("there is no transport ", value);
      return;
    case NUMBER:
      break;
  }
  long number = strtol(value, &end, 10);
  if (end == value || *end || number < flag->least || number > INT_MAX) fail("not a fitting number for ", flag->name);
  *(int *)field = (int)number;
}

static void check_call(const struct options *options) {
  const struct call_form *call = &options->call;
  if (!call->before.data != !options->answer.before.data) fail("--call-before and --answer-before go together", "");
  if (!call->before.data) return;
  if (options->transport != &websocket_transport) fail("calls are made over WebSockets only", "");
  if (options->payload_bytes < CALL_TEXT_BYTES_MIN) fail("--payload-bytes is too small for calls", "");
  size_t around = call->before.length + call->between.length + call->after.length;
  if (around + (size_t)options->payload_bytes > CALL_BYTES_MAX - 8) fail("the calls are too long", "");
}

static void check_position(const struct options *options) {
  if (options->slow > options->connections) fail("--slow is more than --connections", "");
  if (options->keys && !strstr(options->post_before, POST_KEY)) fail("--post-before needs {key} for --keys", "");
  if (!options->keeps_position) return;
  if (options->transport != &websocket_transport) fail("--keeps-position is for WebSockets", "");
  if (options->call.before.data) fail("--keeps-position is not for calls", "");
}

static void check(const struct options *options) {
  if (!options->port) fail("--port is missing", "");
  if (!options->ping_text.data != !options->pong_text.data) fail("--ping-text and --pong-text go together", "");
  if (options->transport->is_negotiated && (!options->hello.data || !options->ready.data))
    fail("--hello and --ready are missing", "");
  check_call(options);
  check_position(options);
}

void options_read(struct options *options, int count, char **words) {
  *options = (struct options){
      .path = "/",
      .transport = &websocket_transport,
      .connections = 100,
      .connecting_max = 256,
      .returning_max = INT_MAX,
      .per_address_max = 1000,
      .connect_timeout_ms = 60000,
      .cpu = -1,
      .settle_ms = 1000,
      .quiet_ms = 300,
      .grace_ms = 200,
      .stall_ms = 5000,
      .nap_us = 150,
      .post_path = "/api/messages",
      .post_pipeline = 1,
      .post_batch = 1,
      .post_type = "application/json",
      .call = {.between = {.data = ""}, .after = {.data = ""}},
      .answer = {.between = {.data = ""}, .after = {.data = ""}},
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
  check(options);
}
