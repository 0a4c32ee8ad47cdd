/**
 * - `connecting`: not connected yet.
 * - `open`: connected, and all that was missed has come or is stated to be lost.
 * - `reconnecting`: the connection is gone; attempts go on until one succeeds.
 * - `closed`: for good, by `close()` or because the server wants no connection.
 */
export type ConnectionState = 'connecting' | 'open' | 'reconnecting' | 'closed'
