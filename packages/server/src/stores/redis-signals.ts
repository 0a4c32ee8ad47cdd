import { EngineAway } from './append-queue.ts'
import type { RedisAddress, RedisKeys } from './redis-address.ts'
import { RedisLink } from './redis-link.ts'
import { SAY } from './redis-scripts.ts'

/** A node that does not hear itself for so long hears nobody. */
const SILENCE_MS_MAX = 5000

/** What nodes say to each other over pub/sub: `node text`; a node alone is one that tries whether it hears itself. */
export class RedisSignals {
  readonly #link: RedisLink
  readonly #keys: RedisKeys
  readonly #node: string
  #isListening = false
  #heardMs = performance.now()

  constructor(address: RedisAddress, keys: RedisKeys, node: string, onSignal: (text: string) => void) {
    this.#keys = keys
    this.#node = node
    this.#link = new RedisLink(address, 'signals', () => this.#listenAgain())
    this.#link.onMessage((text) => {
      const space = text.indexOf(' ')
      if (text === node) this.#heardMs = performance.now()
      else if (space !== -1 && text.slice(0, space) !== node) onSignal(text.slice(space + 1))
    })
  }

  /** A connection that comes back listens again. @throws EngineAway */
  async listen(): Promise<void> {
    this.#isListening = true
    await this.#link.ask((client) => client.subscribe(this.#keys.signals))
    this.#heardMs = performance.now()
  }

  /** Says something that only this node wants to hear, and looks whether it heard what it said before. @throws EngineAway */
  async check(commands: RedisLink): Promise<void> {
    if (performance.now() - this.#heardMs > SILENCE_MS_MAX) {
      this.#heardMs = performance.now()
      this.#link.reconnect()
    }
    await commands.run(SAY, [this.#keys.meta], [this.#keys.signals, this.#node])
  }

  async say(commands: RedisLink, text: string): Promise<void> {
    try {
      await commands.run(SAY, [this.#keys.meta], [this.#keys.signals, `${this.#node} ${text}`])
    } catch (cause) {
      if (!(cause instanceof EngineAway)) throw cause
      throw new Error('Redis can not be reached; nobody was told.', { cause })
    }
  }

  #listenAgain(): void {
    if (!this.#isListening) return
    // Where it fails the connection is lost again, or the node finds out that it does not hear itself.
    this.listen().catch(() => {})
  }

  reconnect(): void {
    this.#link.reconnect()
  }

  close(): void {
    this.#link.close()
  }
}
