import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

type Direction = 'client' | 'server'

interface Pair {
  readonly client: Socket
  readonly target: Socket
}

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
  readonly #held = new Set<Direction>()
  /** Both ends of each connection. */
  readonly #pairs = new Set<Pair>()
  /** Bytes that still pass in a direction before everything is cut. */
  #left: { to: Direction; bytes: number } | undefined

  constructor(targetPort: number) {
    this.targetPort = targetPort
    this.#server = createServer((client) => this.#pass(client))
  }

  async listen(port = 0, address = '127.0.0.1'): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, address, resolve))
    return (this.#server.address() as AddressInfo).port
  }

  /** Resets every connection that there is. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Lets so many more bytes pass in this direction, then resets every connection. */
  cutAfter(bytes: number, to: Direction): void {
    this.#left = { to, bytes }
  }

  /** Whether new connections are reset at once. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
  }

  /** Whether nothing passes in a direction, on old and new connections, without a word to either end. */
  hold(to: Direction, isHeld: boolean): void {
    if (isHeld) this.#held.add(to)
    else this.#held.delete(to)
    for (const pair of this.#pairs) this.#applyHold(pair)
  }

  /** Nothing passes any more on one connection: the one that the target sees as coming from this port. */
  holdConnection(portAtTarget: number): void {
    for (const { client, target } of this.#pairs) {
      if (target.localPort !== portAtTarget) continue
      client.pause()
      target.pause()
      return
    }
    throw new Error(`No connection to the target comes from port ${portAtTarget}`)
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
    const pair: Pair = { client, target }
    this.#pairs.add(pair)
    client.on('close', () => this.#pairs.delete(pair))
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
    this.#applyHold(pair)
  }

  #applyHold({ client, target }: Pair): void {
    for (const [socket, to] of [
      [client, 'server'],
      [target, 'client'],
    ] as const) {
      if (this.#held.has(to)) socket.pause()
      else socket.resume()
    }
  }

  #forward(data: Buffer, other: Socket, to: Direction): void {
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
