import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

const NOTIFICATION = 'A'.charCodeAt(0)
/** Type and length, which counts itself. */
const HEAD_BYTES = 5

/** Stands between a client of PostgreSQL and its server, where connections can be lost in ways that nobody notices. */
export class PostgresProxy {
  /** Notifications that were kept back. */
  kept = 0
  #isDeaf = false
  #isRefusing = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #silenced = new Set<Socket>()

  constructor(port: number) {
    this.#server = createServer((client) => {
      if (this.#isRefusing) client.on('error', () => {}).resetAndDestroy()
      else this.#pass(client, connect(port, '127.0.0.1'))
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  /** The connections that there are fall silent in both directions; new ones pass. */
  silence(): void {
    for (const socket of this.#sockets) this.#silenced.add(socket)
  }

  /** From now on no notification passes. */
  keepNotifications(): void {
    this.#isDeaf = true
  }

  /** Whether new connections are reset at once. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
  }

  /** Resets all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(client: Socket, server: Socket): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#silenced.delete(socket)
        other.destroy()
      })
    }
    client.on('data', (data: Buffer) => {
      if (!this.#silenced.has(client)) server.write(data)
    })
    let rest: Buffer = Buffer.alloc(0)
    server.on('data', (data: Buffer) => {
      if (this.#silenced.has(server)) return
      rest = Buffer.concat([rest, data])
      for (;;) {
        const end = rest.length < HEAD_BYTES ? Infinity : 1 + rest.readInt32BE(1)
        if (rest.length < end) return
        if (rest[0] === NOTIFICATION && this.#isDeaf) this.kept++
        else client.write(rest.subarray(0, end))
        rest = rest.subarray(end)
      }
    })
  }
}
