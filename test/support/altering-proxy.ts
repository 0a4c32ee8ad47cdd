import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What the server said, as one read brought it, to what the client gets. A character stands for a byte. */
export type Alter = (text: string) => string

/** A TCP proxy that passes on what a client says as it is, and what the server says altered. */
export class AlteringProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(targetPort: number, alter: Alter) {
    this.#server = createServer((client) => {
      const target = connect(targetPort, '127.0.0.1')
      for (const [socket, other] of [
        [client, target],
        [target, client],
      ] as const) {
        this.#sockets.add(socket)
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
      }
      client.pipe(target)
      target.on('data', (data: Buffer) => client.write(Buffer.from(alter(data.toString('latin1')), 'latin1')))
      target.on('end', () => client.end())
    })
  }

  async listen(): Promise<URL> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
