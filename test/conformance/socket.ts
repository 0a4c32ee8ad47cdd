import { request as openRequest } from 'node:http'
import { WebSocket } from 'ws'
import { Failure } from './check.ts'
import { type Answer, headersOf, readAnswer } from './http.ts'
import { Inbox } from './inbox.ts'
import type { Scene } from './scene.ts'
import type { Piece, Wire } from './wire.ts'

/** A WebSocket to the server, frame by frame. */
export class Socket implements Wire {
  readonly #scene: Scene
  readonly #socket: WebSocket
  readonly #pieces = new Inbox<Piece>()
  readonly #code: Promise<number>

  private constructor(scene: Scene, path: string, headers: Readonly<Record<string, string>>) {
    const url = new URL(path, scene.url)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    this.#scene = scene
    this.#socket = new WebSocket(url, { headers, perMessageDeflate: true })
    this.#socket.on('message', (data, isBinary) => this.#pieces.push({ data: data as Buffer, isBinary }))
    this.#socket.on('error', () => {})
    this.#code = new Promise((resolve) => {
      this.#socket.on('close', (code) => {
        this.#pieces.end()
        resolve(code)
      })
    })
    scene.signal.addEventListener('abort', () => this.cut())
  }

  /** Opens one, and expects the server to accept it. */
  static async open(scene: Scene, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Socket> {
    scene.waitingFor = `the upgrade of ${path}`
    const socket = new Socket(scene, path, headers)
    await new Promise<void>((resolve, reject) => {
      socket.#socket.once('open', resolve)
      socket.#socket.once('error', (error) => reject(new Failure(`an open WebSocket at ${path}`, error.message)))
    })
    return socket
  }

  async send(data: string | Buffer): Promise<void> {
    this.#socket.send(data, { binary: typeof data !== 'string' })
  }

  /** One message in several fragments. */
  sendFragments(...fragments: readonly string[]): void {
    for (const [index, fragment] of fragments.entries()) {
      this.#socket.send(fragment, { binary: false, fin: index === fragments.length - 1 })
    }
  }

  next(): Promise<Piece | undefined> {
    return this.#pieces.next()
  }

  get waitingCount(): number {
    return this.#pieces.length
  }

  /** The code of the server's close frame: 1005 where it has none, 1006 where none came. */
  code(): Promise<number> {
    this.#scene.waitingFor = 'the WebSocket to close'
    return this.#code
  }

  /** Sends a close frame without a code, as browsers do. */
  close(): void {
    this.#socket.close()
  }

  /** Ends the TCP connection without a word. */
  cut(): void {
    this.#socket.terminate()
  }
}

/** Asks for an upgrade, and gives the answer: 101, or why not. */
export function askUpgrade(
  scene: Scene,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  scene.waitingFor = `the answer to the upgrade of ${path}`
  return new Promise((resolve, reject) => {
    const request = openRequest(new URL(path, scene.url), {
      agent: false,
      signal: scene.signal,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
        ...headers,
      },
    })
    request.on('error', reject)
    request.on('response', (response) => resolve(readAnswer(response)))
    request.on('upgrade', (response, socket) => {
      socket.on('error', () => {})
      socket.destroy()
      resolve({ status: 101, reason: '', headers: headersOf(response), body: Buffer.alloc(0), text: '' })
    })
    request.end()
  })
}
