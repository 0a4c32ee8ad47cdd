import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'

/** What of a client only the process that took its TCP connection can see. */
export interface ClientOrigin {
  /** Of the network; empty where the connection is gone already. */
  readonly address: string
  readonly isEncrypted: boolean
}

const passedOn = new WeakMap<IncomingMessage, ClientOrigin>()

/** Of a request that another node passed on: as that node saw it. Of any other: as its own socket says. */
export function clientOriginOf(request: IncomingMessage): ClientOrigin {
  const { socket } = request
  return passedOn.get(request) ?? { address: socket.remoteAddress ?? '', isEncrypted: socket instanceof TLSSocket }
}

/** To be called only with what the other node has signed. */
export function setClientOrigin(request: IncomingMessage, origin: ClientOrigin): void {
  passedOn.set(request, origin)
}

/** Whether another node passed it on, and proved that. */
export function isPassedOn(request: IncomingMessage): boolean {
  return passedOn.has(request)
}
