import type { AudienceInput } from '../channel/audience.ts'
import type { Channel } from '../channel/channel.ts'
import { ChannelError } from '../channel/channel-error.ts'
import {
  type ClientMessage,
  type ClientMessagePolicy,
  isForServer,
  type MessageCaller,
} from '../channel/client-message.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Post } from '../channel/intake.ts'
import type { Limits } from '../options.ts'

/** Gets what clients send to the server. What it gives is not awaited; what it throws or rejects with is logged. */
export type ClientMessageReceiver = (message: ClientMessage, caller: MessageCaller) => unknown

export interface ReceiverOptions {
  /**
   * Messages of which senders it takes, whatever the policy says of them. Left out: those that are for the server
   * (`ServerMsg`, by sender or channel type), and those that the policy lets pass.
   */
  readonly senders?: string | Iterable<string>
}

export interface ClientMessagesParts {
  readonly channel: Pick<Channel, 'post'>
  readonly clock: Clock
  readonly limits: Pick<Limits, 'clientPolicyTimeoutMs'>
  readonly policy: ClientMessagePolicy
  /** Told what the application's code throws, and where. */
  readonly onError: (error: unknown, where: string) => void
}

interface Receiver {
  readonly run: ClientMessageReceiver
  readonly senders: ReadonlySet<string> | undefined
}

/** What becomes of the messages that clients send: whom they go to, and who on the server gets them. */
export class ClientMessages {
  readonly #parts: ClientMessagesParts
  #receivers: readonly Receiver[] = []

  constructor(parts: ClientMessagesParts) {
    this.#parts = parts
  }

  /** @returns what takes the receiver off again */
  receive(run: ClientMessageReceiver, { senders }: ReceiverOptions = {}): () => void {
    const receiver: Receiver = {
      run,
      senders: senders === undefined ? undefined : new Set(typeof senders === 'string' ? [senders] : senders),
    }
    // A list is never changed, so that one which is gone through stays as it was.
    this.#receivers = [...this.#receivers, receiver]
    return () => {
      this.#receivers = this.#receivers.filter((other) => other !== receiver)
    }
  }

  /**
   * Posts the message to whom the policy says, stamped with who sent it, and hands it to the receivers. Ends when it is
   * in the log.
   *
   * @throws ChannelError that says why it is not taken
   */
  async take(message: ClientMessage, caller: MessageCaller): Promise<void> {
    const { sender } = message
    const audience = await this.#ask(message, caller)
    const receivers = this.#receivers.filter(({ senders }) =>
      senders ? senders.has(sender) : audience !== undefined || isForServer(message),
    )
    if (audience === undefined && receivers.length === 0) {
      throw new ChannelError('message_refused', `The server takes no messages of the sender '${sender}' from you.`)
    }
    if (audience !== undefined) await this.#post(message, caller, audience)
    for (const { run } of receivers) this.#hand(message, caller, run)
  }

  /** Whom it is for; undefined: nobody. */
  async #ask(message: ClientMessage, caller: MessageCaller): Promise<AudienceInput | undefined> {
    const { policy, clock, limits } = this.#parts
    let timer: Timer | undefined
    const tooLate = new Promise<never>((_, reject) => {
      timer = clock.after(limits.clientPolicyTimeoutMs, () => {
        reject(new Error(`clientMessagePolicy took longer than ${limits.clientPolicyTimeoutMs} ms.`))
      })
    })
    try {
      // What no compiler looked at may be anything; what is not an audience is found when it is posted.
      return (await Promise.race([policy({ ...message, ...caller }), tooLate])) || undefined
    } catch (cause) {
      throw new ChannelError('internal', 'clientMessagePolicy failed.', { cause })
    } finally {
      timer?.stop()
    }
  }

  async #post(message: ClientMessage, { user, connectionId }: MessageCaller, to: AudienceInput): Promise<void> {
    const { id, sender, body, bodyTypeName, channelType } = message
    const post: Post = {
      to,
      sender,
      body,
      id,
      ...(bodyTypeName === undefined ? {} : { bodyTypeName }),
      ...(channelType === undefined ? {} : { channelType }),
    }
    const sentBy = { ...(user === undefined ? {} : { User: user }), ConnectionId: connectionId }
    await this.#parts.channel.post([post], sentBy)
  }

  #hand(message: ClientMessage, caller: MessageCaller, run: ClientMessageReceiver): void {
    const fail = (error: unknown): void => this.#parts.onError(error, 'onClientMessage')
    try {
      // What is no promise ends at once.
      Promise.resolve(run(message, caller)).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}
