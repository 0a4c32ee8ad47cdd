import type { HubMessage } from '@serverchannel/protocol'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import type { ClientReader } from './client-reader.ts'

/** Whose messages are taken in. */
export interface MessageTaker {
  /** Whether it takes messages at all. */
  readonly isOpen: boolean
  /** Bytes written to the client that it has not taken. */
  readonly bufferedBytes: number
  takeMessage(message: HubMessage): void
  /** The client broke the protocol, or taking a message failed. Nothing more is read. */
  intakeFailed(error: unknown): void
  /** Whether the client is to send nothing more for now. */
  intakeHeld(isHeld: boolean): void
}

export interface MessageIntakeParts {
  readonly limits: Pick<Limits, 'receivedMessagesPerTurn' | 'highWaterMarkBytes'>
  readonly clock: Clock
}

/**
 * Hands on what a client sends, message by message: so many in a turn of the loop (then the rest waits for the next), and
 * none while the client doesn't take its answers (then the rest waits until it does).
 */
export class MessageIntake {
  readonly #reader: ClientReader
  readonly #taker: MessageTaker
  readonly #parts: MessageIntakeParts
  /** Messages of the last data that were more than one turn takes. */
  #backlog: Generator<HubMessage, void, undefined> | undefined
  /** Whether the backlog waits for the client to take its answers. */
  #waitsForDrain = false
  /** Data behind the backlog. Made when there is some: most connections never have any. */
  #waiting: (string | Buffer)[] | undefined

  constructor(reader: ClientReader, taker: MessageTaker, parts: MessageIntakeParts) {
    this.#reader = reader
    this.#taker = taker
    this.#parts = parts
  }

  receive(data: string | Buffer): void {
    if (this.#backlog) {
      this.#waiting ??= []
      this.#waiting.push(data)
    } else this.#process(this.#reader.read(data))
  }

  onDrain(): void {
    if (this.#backlog && this.#waitsForDrain) this.#continue()
  }

  /** Nobody takes anything any more. */
  stop(): void {
    this.#waiting = undefined
    this.#backlog = undefined
  }

  #process(messages: Generator<HubMessage, void, undefined>): void {
    let left = this.#parts.limits.receivedMessagesPerTurn
    try {
      while (this.#taker.isOpen) {
        if (left-- === 0 || this.#isFull()) {
          this.#hold(messages)
          return
        }
        const next = messages.next()
        if (next.done) break
        this.#taker.takeMessage(next.value)
      }
    } catch (error) {
      this.#taker.intakeFailed(error)
    }
  }

  #hold(messages: Generator<HubMessage, void, undefined>): void {
    this.#backlog = messages
    this.#waitsForDrain = this.#isFull()
    this.#taker.intakeHeld(true)
    if (!this.#waitsForDrain) this.#parts.clock.soon(() => this.#continue())
  }

  #continue(): void {
    const messages = this.#backlog
    this.#backlog = undefined
    this.#waitsForDrain = false
    if (messages) this.#process(messages)
    while (!this.#backlog && this.#waiting?.length) this.receive(this.#waiting.shift() ?? '')
    if (!this.#backlog) this.#taker.intakeHeld(false)
  }

  #isFull(): boolean {
    return this.#taker.bufferedBytes >= this.#parts.limits.highWaterMarkBytes
  }
}
