import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * An HTTP proxy that sends each request to another server than the last one, upgrades too: the worst that one without
 * sticky sessions can do. A server that takes no connection is passed over, as nginx does.
 */
export class AlternatingProxy {
  readonly #ports: readonly number[]
  readonly #agent = new Agent({ keepAlive: true })
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()
  #next = 0
  /** Where each request went, with its method and path. */
  readonly log: { readonly port: number; readonly method: string; readonly path: string }[] = []

  constructor(ports: readonly number[]) {
    this.#ports = ports
    this.#server = createServer((request, response) => this.#pass(request, response, this.#next++))
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head, this.#next++))
    this.#server.on('connection', (socket) => this.#hold(socket))
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Breaks all connections that there are. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    this.#agent.destroy()
    await closed
  }

  #hold(socket: Duplex): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }

  #choose({ method = '', url = '' }: IncomingMessage, turn: number): number {
    const port = this.#ports[turn % this.#ports.length] ?? 0
    this.log.push({ port, method, path: url.split('?')[0] ?? '' })
    return port
  }

  #pass(request: IncomingMessage, response: ServerResponse, turn: number, triesLeft = this.#ports.length): void {
    const { method, url, headers } = request
    const port = this.#choose(request, turn)
    const upstream = httpRequest({ port, host: '127.0.0.1', agent: this.#agent, method, path: url, headers })
    response.on('close', () => upstream.destroy())
    upstream.on('response', (answer) => {
      answer.on('error', () => response.destroy())
      response.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(response)
    })
    upstream.on('error', (error: NodeJS.ErrnoException) => {
      request.unpipe(upstream)
      if (response.headersSent || response.destroyed) response.destroy()
      else if (error.code === 'ECONNREFUSED' && triesLeft > 1) this.#pass(request, response, turn + 1, triesLeft - 1)
      else response.writeHead(502, { Connection: 'close' }).end()
    })
    // A body that was read can't be sent to another server.
    upstream.once('socket', (target) => {
      if (target.connecting) target.once('connect', () => request.pipe(upstream))
      else request.pipe(upstream)
    })
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, turn: number, triesLeft = this.#ports.length): void {
    const target = connect(this.#choose(request, turn), '127.0.0.1')
    this.#hold(target)
    let isConnected = false
    target.once('connect', () => {
      isConnected = true
      const { method, url, rawHeaders } = request
      let text = `${method} ${url} HTTP/1.1\r\n`
      for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
      target.write(`${text}\r\n`)
      target.write(head)
      target.pipe(socket).pipe(target)
    })
    target.on('close', () => {
      if (isConnected) socket.destroy()
      else if (triesLeft > 1) this.#upgrade(request, socket, head, turn + 1, triesLeft - 1)
      else socket.destroy()
    })
    socket.on('close', () => target.destroy())
  }
}
