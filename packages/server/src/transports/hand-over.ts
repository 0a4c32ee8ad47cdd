import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ServedConnection, ServedConnectionInit } from '../hub/served-connection.ts'

/** A client whose upgrade was found to be in order, and is not answered yet. */
export interface HandedClient extends Omit<ServedConnectionInit, 'transport' | 'isStateful' | 'request'> {
  readonly request: IncomingMessage
  /** What came behind the request. */
  readonly head: Buffer
}

/** Gives the sockets of WebSockets to other processes, which answer the upgrade and serve the connection. */
export interface HandOver {
  /**
   * @returns the connection as it is seen from here; undefined, and nothing is done, where it is to be served here. From
   * then on the socket is not this process's any more
   */
  take(socket: Duplex, client: HandedClient): ServedConnection | undefined
}
