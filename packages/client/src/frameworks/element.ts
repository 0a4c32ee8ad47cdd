import type { Message } from '@serverchannel/protocol'
import { connect } from '../connect.ts'
import { withUser } from '../hub-url.ts'
import type { MessageSource } from './message-source.ts'

/** What makes a channel for a hub's url. */
export type OpenChannel = (url: string) => MessageSource & { close(): Promise<void> }

export interface ElementOptions {
  /** Default `server-message`. */
  readonly name?: string
  /** Default: {@link connect}. Elements of one url share one channel, which is closed when the last of them is gone. */
  readonly open?: OpenChannel
}

/**
 * Defines the element that shows the newest body of a sender as text, and tells of each as a DOM event `server-message`,
 * which bubbles and has the message as its `detail`.
 *
 * | attribute | meaning | default |
 * | --- | --- | --- |
 * | `sender` | whose messages | none: it shows nothing new |
 * | `field` | what of the body, as `order.status` | all of it; what is no text as JSON |
 * | `url` | the hub | `/msg` |
 * | `user` | who the user is, for a server in development mode | whom the server makes out |
 *
 * @example
 * defineServerMessage()
 * // <server-message sender="OrderChanged" field="status">no news</server-message>
 */
export function defineServerMessage({ name = 'server-message', open = connect }: ElementOptions = {}): void {
  const channels = new SharedChannels(open)
  class ServerMessageElement extends HTMLElement {
    static readonly observedAttributes = ['sender', 'url', 'user']
    #leave: (() => void) | undefined
    /** Attributes of an element that is in the page already are told of before its connection is. */
    #isIn = false

    connectedCallback(): void {
      this.#isIn = true
      this.#listen()
    }

    disconnectedCallback(): void {
      this.#isIn = false
      this.#leave?.()
      this.#leave = undefined
    }

    attributeChangedCallback(): void {
      if (!this.#isIn) return
      const before = this.#leave
      this.#listen()
      before?.()
    }

    #listen(): void {
      this.#leave = undefined
      const sender = this.getAttribute('sender')
      if (sender === null) return
      const url = withUser(this.getAttribute('url') ?? '/msg', this.getAttribute('user') ?? undefined)
      const { channel, release } = channels.take(url)
      const off = channel.on(sender, (body, message) => this.#show(body, message))
      this.#leave = () => {
        off()
        release()
      }
    }

    #show(body: unknown, message: Message): void {
      this.textContent = toText(fieldOf(body, this.getAttribute('field')))
      this.dispatchEvent(new CustomEvent('server-message', { detail: message, bubbles: true }))
    }
  }
  customElements.define(name, ServerMessageElement)
}

/** One channel for all elements of a url, as long as there is one. */
class SharedChannels {
  readonly #open: OpenChannel
  readonly #taken = new Map<string, { readonly channel: ReturnType<OpenChannel>; count: number }>()

  constructor(open: OpenChannel) {
    this.#open = open
  }

  take(url: string): { readonly channel: MessageSource; readonly release: () => void } {
    const taken = this.#taken.get(url) ?? { channel: this.#open(url), count: 0 }
    this.#taken.set(url, taken)
    taken.count++
    return { channel: taken.channel, release: () => void this.#release(url) }
  }

  /** An element that is moved is taken out and put in again at once: its channel stays. */
  async #release(url: string): Promise<void> {
    await Promise.resolve()
    const taken = this.#taken.get(url)
    if (!taken || --taken.count > 0) return
    this.#taken.delete(url)
    await taken.channel.close()
  }
}

/** Own members only: a body may name what every object has. */
function fieldOf(body: unknown, field: string | null): unknown {
  let value = body
  for (const name of field?.split('.') ?? []) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

function toText(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
