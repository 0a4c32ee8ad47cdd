import type { Message } from '@serverchannel/protocol'
import { decodeBody } from './decode-body.ts'

/** A message with its body decoded. Source: PARITY 2.1. */
class ServerChannelResponse {
  readonly #message: Message

  constructor({ message }: { readonly message: Message }) {
    this.#message = message
  }

  /** The body: what its JSON text says, or the body itself where it is none. */
  getMessage(): unknown {
    return decodeBody(this.#message.Body)
  }

  /** The message id that it was posted with. */
  getSender(): string {
    return this.#message.Header.Sender
  }

  /** Whether it was posted with this message id. */
  validateSender(sender: string): boolean {
    return this.getSender() === sender
  }
}

/** What {@link BaseServerChannelResponse} makes of a message. */
export type BaseServerChannelResponse = ServerChannelResponse

type Config = ConstructorParameters<typeof ServerChannelResponse>[0]

/**
 * Reads a message: `getMessage()`, `getSender()`, `validateSender(sender)`. Called with `new` and without.
 *
 * @example
 * const response = new Terrasoft.BaseServerChannelResponse({ message })
 * if (response.validateSender('OrderChanged')) refresh(response.getMessage())
 */
export const BaseServerChannelResponse: typeof ServerChannelResponse & ((config: Config) => ServerChannelResponse) =
  new Proxy(ServerChannelResponse, {
    apply: (Target, _scope, [config]: [Config]) => new Target(config),
    // A class can't be called; its proxy is what can.
  }) as typeof ServerChannelResponse & ((config: Config) => ServerChannelResponse)
