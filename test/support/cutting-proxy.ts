import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy whose connections can be cut from outside, as a network does: without a word to either end. */
export class CuttingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections that were made through it. */
  connections = 0
  /** Connections that were reset at once. */
  refusals = 0
  /** Passes bytes on to this port; may change, as where a server comes back elsewhere. */
  targetPort: number
  #isRefusing = false
  /** Bytes that still pass in a direction before everything is cut. */
  #left: { to: 'client' | 'server'; bytes: number } | undefined

  constructor(targetPort: number) {
    this.targetPort = targetPort
    this.#server = createServer((client) => this.#pass(client))
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  /** Resets every connection that there is. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Lets so many more bytes pass in this direction, then resets every connection. */
  cutAfter(bytes: number, to: 'client' | 'server'): void {
    this.#left = { to, bytes }
  }

  /** Whether new connections are reset at once. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(client: Socket): void {
    if (this.#isRefusing) {
      this.refusals++
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    this.connections++
    const target = connect(this.targetPort, '127.0.0.1')
    for (const [socket, other, to] of [
      [client, target, 'server'],
      [target, client, 'client'],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
      socket.on('data', (data: Buffer) => this.#forward(data, other, to))
      socket.on('end', () => other.end())
    }
  }

  #forward(data: Buffer, other: Socket, to: 'client' | 'server'): void {
    const left = this.#left
    if (left?.to !== to || data.length < left.bytes) {
      if (left?.to === to) left.bytes -= data.length
      other.write(data)
      return
    }
    this.#left = undefined
    // What was let through arrives before the reset does.
    other.write(data.subarray(0, left.bytes), () => setImmediate(() => this.cut()))
  }
}
