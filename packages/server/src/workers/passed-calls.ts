import type { CallMessage, Hub, HubSession } from '../hub/hub.ts'
import type { HubPeer } from '../hub/hub-peer.ts'
import type { Link } from './link.ts'
import type { ToConnection, ToServer } from './messages.ts'

/** Calls of one client that the server's process has not taken up: with so many the client is not read on. */
const UNTAKEN_MAX = 100
/** With so much on its way to the server's process no client that calls is read on. */
const CALLS_BYTES_MAX = 8_388_608

type CallLink = Pick<Link<ToServer, never>, 'send' | 'bufferedBytes'>

/** The channel's methods, as a worker has them: what clients call is passed on to the server's process. */
export class PassedCalls implements Hub {
  readonly #link: CallLink
  readonly #numberOf: (id: string) => number
  readonly #sessions = new Map<number, PassedSession>()
  /** Who is not read on until what was sent has been taken. */
  readonly #held = new Set<PassedSession>()

  /** @param numberOf the number of the connection that has an id */
  constructor(link: CallLink, numberOf: (id: string) => number) {
    this.#link = link
    this.#numberOf = numberOf
  }

  onConnected(peer: HubPeer): HubSession {
    const connection = this.#numberOf(peer.id)
    const session = new PassedSession(peer, {
      pass: (message) => {
        this.#link.send({ kind: 'called', connection, message })
        if (this.#link.bufferedBytes >= CALLS_BYTES_MAX) {
          this.#held.add(session)
          session.hold(true)
        }
      },
      onGone: () => {
        this.#sessions.delete(connection)
        this.#held.delete(session)
      },
    })
    this.#sessions.set(connection, session)
    return session
  }

  /** What was sent has been taken. */
  onDrain(): void {
    for (const session of this.#held) session.hold(false)
    this.#held.clear()
  }

  onMessage(message: Extract<ToConnection, { readonly kind: 'taken' | 'callEnded' | 'pause' }>): void {
    this.#sessions.get(message.connection)?.onAnswer(message)
  }
}

interface PassedSessionParts {
  readonly pass: (message: CallMessage) => void
  readonly onGone: () => void
}

class PassedSession implements HubSession {
  readonly #peer: HubPeer
  readonly #parts: PassedSessionParts
  #untaken = 0
  #isBusy = false
  #isHeld = false
  #isPausedThere = false
  #isPaused = false

  constructor(peer: HubPeer, parts: PassedSessionParts) {
    this.#peer = peer
    this.#parts = parts
  }

  get isBusy(): boolean {
    return this.#isBusy || this.#untaken > 0
  }

  onMessage(message: CallMessage): void {
    this.#untaken++
    this.#parts.pass(message)
    this.#update()
  }

  onAnswer(message: Extract<ToConnection, { readonly kind: 'taken' | 'callEnded' | 'pause' }>): void {
    switch (message.kind) {
      case 'taken':
        this.#untaken--
        this.#isBusy = message.isBusy
        break
      case 'callEnded':
        this.#isBusy = message.isBusy
        this.#peer.callEnded()
        break
      case 'pause':
        this.#isPausedThere = message.isPaused
        break
      default:
        message satisfies never
    }
    this.#update()
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    this.#update()
  }

  onDrain(): void {}

  onKeepAlive(): boolean {
    return false
  }

  onDisconnected(): void {
    this.#parts.onGone()
  }

  #update(): void {
    const isPaused = this.#isHeld || this.#isPausedThere || this.#untaken >= UNTAKEN_MAX
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#peer.pause()
    else this.#peer.resume()
  }
}
