/* Writes many pieces to many sockets in one call from JavaScript: one `send` each, and nothing between two of them. */
#include <errno.h>
#include <node_api.h>
#include <stdint.h>
#include <sys/socket.h>

/* Pieces of one call at most: `which` is one byte. */
#define PIECES_MAX 256

struct piece {
  const char *data;
  size_t bytes;
};

static napi_value fail(napi_env env, const char *text) {
  napi_throw_type_error(env, NULL, text);
  return NULL;
}

static int typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, size_t count, void **data) {
  napi_typedarray_type type;
  size_t length;
  if (napi_get_typedarray_info(env, value, &type, &length, data, NULL, NULL) != napi_ok) return 0;
  return type == wanted && length >= count;
}

/*
 * sendAll(fds: Int32Array, pieces: Buffer[], which: Uint8Array, count: number, taken: Int32Array): number
 *
 * Sends pieces[which[i]] to fds[i] for each i below count, without waiting. taken[i] is how many bytes the kernel took: 0
 * where it has no room, and where it refuses. Answers how many pieces were not taken whole.
 */
static napi_value send_all(napi_env env, napi_callback_info info) {
  napi_value values[5];
  size_t arguments = 5;
  uint32_t count, pieces_count;
  void *fds_data, *which_data, *taken_data;
  if (napi_get_cb_info(env, info, &arguments, values, NULL, NULL) != napi_ok || arguments != 5 ||
      napi_get_value_uint32(env, values[3], &count) != napi_ok) {
    return fail(env, "sendAll takes fds, pieces, which, a count and taken.");
  }
  if (!typed_array(env, values[0], napi_int32_array, count, &fds_data)) return fail(env, "fds: an Int32Array.");
  if (!typed_array(env, values[2], napi_uint8_array, count, &which_data)) return fail(env, "which: a Uint8Array.");
  if (!typed_array(env, values[4], napi_int32_array, count, &taken_data)) return fail(env, "taken: an Int32Array.");
  if (napi_get_array_length(env, values[1], &pieces_count) != napi_ok || pieces_count > PIECES_MAX) {
    return fail(env, "pieces: an array of at most 256.");
  }

  struct piece pieces[PIECES_MAX];
  for (uint32_t i = 0; i < pieces_count; i++) {
    napi_value piece;
    void *data;
    if (napi_get_element(env, values[1], i, &piece) != napi_ok ||
        napi_get_buffer_info(env, piece, &data, &pieces[i].bytes) != napi_ok) {
      return fail(env, "pieces: Buffers.");
    }
    pieces[i].data = data;
  }

  const int32_t *fds = fds_data;
  const uint8_t *which = which_data;
  int32_t *taken = taken_data;
  uint32_t left = 0;
  for (uint32_t i = 0; i < count; i++) {
    taken[i] = 0;
    if (which[i] >= pieces_count) {
      left++;
      continue;
    }
    const struct piece *piece = &pieces[which[i]];
    ssize_t sent;
    do sent = send(fds[i], piece->data, piece->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent > 0) taken[i] = (int32_t)sent;
    if (sent < 0 || (size_t)sent < piece->bytes) left++;
  }

  napi_value result;
  napi_create_uint32(env, left, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "sendAll", NAPI_AUTO_LENGTH, send_all, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "sendAll", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
