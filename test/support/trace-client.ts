import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { parseAnswer } from './http-answer.ts'
import type { TraceFrame } from './trace.ts'
import { type Exchange, Transcript } from './trace-transcript.ts'

const WAIT_MS_MAX = 8000

export interface Wanted {
  isThere(): boolean
  /** Whether a poll may bring what is missing. */
  needsPoll(): boolean
  describe(): string
}

interface Carried {
  readonly conn: number
  readonly exchange: Exchange
  readonly socket: Socket
}

/** Says to a server what a recorded client said, and keeps what it answers. */
export class TraceClient {
  readonly transcript = new Transcript()
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  #webSocket: WebSocket | undefined
  /** The request that brings the server's messages, while it does. */
  #carrier: Carried | undefined
  #poll: Buffer | undefined
  #onChange = (): void => {}

  constructor(port: number) {
    this.#port = port
  }

  /** The value of a property that the negotiation gave. */
  negotiated(name: 'connectionId' | 'connectionToken'): string {
    const [answer] = this.transcript.answers('call')
    const body = JSON.parse(answer?.body.toString() || '{}') as Readonly<Record<string, string>>
    return body[name] ?? ''
  }

  /** Sends a request of the recording, with our own port and token for those of it. */
  async request(conn: number, recorded: Buffer): Promise<void> {
    const own = recorded
      .toString('latin1')
      .replace(/([?&]id=)[\w-]+/, `$1${this.negotiated('connectionToken')}`)
      .replace(/^host: .*$/im, `Host: 127.0.0.1:${this.#port}`)
    const request = Buffer.from(own, 'latin1')
    const { role } = new Transcript().begin(request)
    if (role === 'upgrade') return this.#upgrade(request)
    if (role === 'carrier') {
      this.#poll = request
      // One poll brought what two brought there.
      if (this.#carrier) return
    }
    this.#write(conn, request)
  }

  /** Sends a frame, unless the server has ended the connection before it was asked to. */
  send({ type, bytes, code }: TraceFrame): void {
    if (this.#webSocket?.readyState !== WebSocket.OPEN) return
    if (type === 'close') this.#webSocket.close(code)
    else this.#webSocket.send(type === 'text' ? bytes.toString() : bytes)
  }

  /** Waits until the server has taken what was sent to it over a WebSocket. */
  async settle(): Promise<void> {
    const socket = this.#webSocket
    if (socket?.readyState !== WebSocket.OPEN) return
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        socket.off('pong', settle)
        socket.off('close', settle)
        resolve()
      }
      socket.on('pong', settle)
      socket.on('close', settle)
      socket.ping()
    })
  }

  /** Closes the TCP connection, where it is the one that brings the messages. */
  leave(conn: number): void {
    if (this.#carrier?.conn === conn) this.#carrier.socket.destroy()
  }

  /** Breaks the WebSocket without a word. */
  cut(): void {
    this.#webSocket?.terminate()
  }

  /** Waits until the server has said what is wanted. @throws Error after a while */
  async waitFor({ isThere, needsPoll, describe }: Wanted): Promise<void> {
    const end = performance.now() + WAIT_MS_MAX
    while (!isThere()) {
      if (this.#poll && !this.#carrier && needsPoll()) this.#write(0, this.#poll)
      const changed = new Promise<void>((resolve) => {
        this.#onChange = resolve
      })
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, end - performance.now())
      })
      await Promise.race([changed, timeout])
      clearTimeout(timer)
      if (performance.now() >= end) throw new Error(`Waited in vain for ${describe()}`)
    }
  }

  close(): void {
    this.#webSocket?.terminate()
    for (const socket of this.#sockets) socket.destroy()
  }

  #write(conn: number, request: Buffer): void {
    const exchange = this.transcript.begin(request)
    const socket = connect(this.#port, '127.0.0.1')
    this.#sockets.add(socket)
    if (exchange.role === 'carrier') this.#carrier = { conn, exchange, socket }
    const settle = (): void => {
      if (this.#carrier?.exchange === exchange) this.#carrier = undefined
      this.#onChange()
    }
    socket.on('error', () => {})
    socket.on('close', settle)
    socket.on('data', (data: Buffer) => {
      exchange.raw = Buffer.concat([exchange.raw, data])
      if (parseAnswer(exchange.raw)?.isWhole) settle()
      else this.#onChange()
    })
    socket.write(request)
  }

  async #upgrade(request: Buffer): Promise<void> {
    const exchange = this.transcript.begin(request)
    const [head = '', ...lines] = request.toString('latin1').split('\r\n')
    const userAgent = lines.find((line) => line.startsWith('User-Agent: '))?.slice('User-Agent: '.length) ?? ''
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}${head.split(' ')[1] ?? ''}`, {
      headers: { 'User-Agent': userAgent },
      perMessageDeflate: true,
    })
    this.#webSocket = socket
    socket.on('upgrade', ({ statusCode, statusMessage, rawHeaders }) => {
      const fields = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []))
      exchange.raw = Buffer.from(`HTTP/1.1 ${statusCode} ${statusMessage}\r\n${fields.join('\r\n')}\r\n\r\n`)
    })
    socket.on('message', (bytes: Buffer, isBinary) => {
      this.transcript.frames.push({ type: isBinary ? 'binary' : 'text', bytes, code: undefined })
      this.#onChange()
    })
    socket.on('close', (code) => {
      if (code !== 1006) this.transcript.frames.push({ type: 'close', bytes: Buffer.alloc(0), code })
      this.#onChange()
    })
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.on('error', reject)
    })
  }
}
