import { type HubMessage, MessageType, ProtocolError } from '@serverchannel/protocol'

/** In .NET's words (SIGNALR 2.11 R2). */
export const SEQUENCE_TOO_GREAT = "Sequence ID greater than amount of messages we've received."

/** Counts what a client sends, so that what it says again on another socket is taken once. Source: SIGNALR 2.11 R1, R2. */
export class ReceivedSequence {
  /** Number of the next message that comes. */
  #nextId = 1
  #newestId = 0
  #toldId = 0
  #awaitsSequence = false

  /** Whether all but Sequence is passed over, since nobody knows its number. */
  get awaitsSequence(): boolean {
    return this.#awaitsSequence
  }

  /** Another socket has come: the client says first where it goes on. */
  awaitSequence(): void {
    this.#awaitsSequence = true
  }

  /** Whether the message is to be handled. @throws ProtocolError where the client goes on from where it never was */
  accepts(message: HubMessage): boolean {
    if (message.type === MessageType.Sequence) {
      this.#goOnFrom(message.sequenceId)
      return false
    }
    if (this.#awaitsSequence) return false
    if (message.type > MessageType.CancelInvocation) return true
    const id = this.#nextId++
    if (id <= this.#newestId) {
      // The client has not seen the acknowledgement: it is told once more.
      this.#toldId = 0
      return false
    }
    this.#newestId = id
    return true
  }

  /** The number to acknowledge, if that is due. */
  takeDueAck(): number | undefined {
    if (this.#awaitsSequence || this.#toldId === this.#newestId) return undefined
    this.#toldId = this.#newestId
    return this.#newestId
  }

  #goOnFrom(id: number): void {
    if (id > this.#nextId) throw new ProtocolError('malformed', SEQUENCE_TOO_GREAT)
    if (id < 1) throw new ProtocolError('malformed', 'A sequence begins with 1.')
    this.#nextId = id
    this.#awaitsSequence = false
  }
}
