// TCP connections to the server on 127.0.0.1.
#ifndef CLIENT_SOCKET_H
#define CLIENT_SOCKET_H
#include <stdbool.h>

/** Begins to connect from the `address`th source address, without waiting; a slow one with a small buffer. -1: errno. */
int client_socket_begin(int port, int address, bool is_slow);
/** Connects and waits for it, from 127.0.0.1; -1 and errno where that fails. The socket does not block afterwards. */
int client_socket_open(int port);

#endif
