import { parsePosition } from '@serverchannel/protocol'
import type { FakeNetwork, FakeSocket } from './fake-socket.ts'
import { channelState, serverMessage } from './wire.ts'

/**
 * The other end, as the design has it: a log, and cursors into it. What it writes can be cut at any byte, and it
 * repeats itself, as a server that is not sure what arrived may.
 */
export class FakeServer {
  readonly #network: FakeNetwork
  readonly #random: () => number
  #epoch = 1
  #log: Array<{ readonly sender: string; readonly body: unknown }> = []
  #socket: FakeSocket | undefined
  /** Written, and not at the client yet. */
  #written = ''

  constructor(network: FakeNetwork, random: () => number) {
    this.#network = network
    this.#random = random
  }

  post(sender: string, body: unknown): void {
    this.#log.push({ sender, body })
    if (!this.#socket) return
    this.#write(this.#log.length)
    if (this.#random() < 0.5) this.#write(1 + Math.floor(this.#random() * this.#log.length))
    if (this.#random() < 0.2) this.#written += channelState(this.#name, this.#log.length)
  }

  /** Answers the newest socket, with what it missed. */
  serve(): void {
    const socket = this.#network.socket
    this.#socket = socket
    socket.accept()
    this.#written = '{}\u001e'
    const from = parsePosition(socket.position ?? '')
    if (!from) this.#written += channelState(this.#name, this.#log.length)
    else if (from.epoch !== this.#name) {
      this.#written += channelState(this.#name, this.#log.length, { recovered: false, reason: 'epoch-changed' })
    } else {
      // One more than was missed, at times.
      const first = Math.max(1, from.offset + (this.#random() < 0.3 ? 0 : 1))
      for (let offset = first; offset <= this.#log.length; offset++) this.#write(offset)
      this.#written += channelState(this.#name, this.#log.length, { recovered: true })
    }
    if (from || this.#random() < 0.7) this.#deliver(this.#random() * this.#written.length)
    else this.flush()
  }

  /** Everything that was written arrives. */
  flush(): void {
    this.#deliver(this.#written.length)
  }

  /** A part of what was written arrives, and the connection is gone. */
  cutAnywhere(): void {
    // The first connection is not cut before the client knows where it is: what it missed before is not its own.
    if (this.#network.sockets.length === 1) this.flush()
    else this.#deliver(this.#random() * this.#written.length)
    this.#socket?.drop()
    this.#socket = undefined
    this.#written = ''
  }

  /** Restarts without its log. */
  loseLog(): void {
    this.#epoch++
    this.#log = []
  }

  get #name(): string {
    return `epoch-${this.#epoch}`
  }

  #write(offset: number): void {
    const entry = this.#log[offset - 1]
    if (entry) this.#written += serverMessage(entry.sender, entry.body, `${this.#name}:${offset}`)
  }

  #deliver(chars: number): void {
    const arriving = this.#written.slice(0, Math.ceil(chars))
    this.#written = this.#written.slice(arriving.length)
    if (arriving) this.#socket?.receive(arriving)
  }
}
