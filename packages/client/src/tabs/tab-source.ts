import type { HubMessage } from '@serverchannel/protocol'
import { type Calls, createCalls } from '../calls.ts'
import { ChannelError } from '../channel-error.ts'
import type { ConnectionState } from '../connection-state.ts'
import type { Environment, Timer } from '../environment.ts'
import type { MessageSource, OpenSource, SourceCalls, SourceListener } from '../source.ts'
import type { Link, OpenLink, SharedError, ToTab } from './tab-message.ts'

/** What a tab's end of the shared connection is made of. */
export interface TabSourceParts {
  readonly environment: Environment
  /** The ways to whoever has the connection, best first. */
  readonly links: readonly OpenLink[]
  /** A connection of the tab's own, for what the shared one can't give, and where there is none. */
  readonly openOwn: OpenSource
  readonly accessToken: () => Promise<string | undefined>
}

const BEAT_MS = 5_000
/** A tab whose beat is not answered for so long takes whoever has the connection for dead. */
const ANSWER_TIMEOUT_MS = 10_000

/** `joining`: until whoever has the connection answers. `frozen`: the page is put away, and let go of everything. */
type Phase = 'joining' | 'joined' | 'frozen' | 'closed'

/** The source of a tab that shares its connection with others, as long as that can be. */
export class TabSource implements MessageSource {
  readonly #parts: TabSourceParts
  readonly #listener: SourceListener
  readonly #stopSigns: () => void
  readonly #calls: Calls
  #links: readonly OpenLink[]
  #phase: Phase = 'joining'
  #state: ConnectionState = 'connecting'
  #hasOpened = false
  #heardAt: number | undefined
  #answeredAt = 0
  #link: Link | undefined
  /** Catches up, or is the connection for good where none can be shared. */
  #own: MessageSource | undefined
  #timer: Timer | undefined

  constructor(parts: TabSourceParts, listener: SourceListener) {
    this.#parts = parts
    this.#listener = listener
    this.#links = parts.links
    this.#calls = createCalls((message) => this.#call(message))
    this.#stopSigns = parts.environment.onSign((sign) => {
      if (sign === 'frozen') this.#freeze()
      else if (sign === 'thawed') this.#thaw()
      else if (sign !== 'hidden') this.wake()
    })
    void Promise.resolve().then(() => this.#start())
  }

  get state(): ConnectionState {
    return this.#state
  }

  get heardAt(): number | undefined {
    return this.#own?.heardAt ?? this.#heardAt
  }

  /** Over the shared connection, or over one's own where that is all there is. */
  get calls(): SourceCalls {
    const current = (): SourceCalls => (this.#phase === 'joined' ? this.#calls : (this.#own?.calls ?? this.#calls))
    return {
      get isBusy() {
        return current().isBusy
      },
      invoke: (method, args, options) => current().invoke(method, args, options),
      stream: (method, args, options) => current().stream(method, args, options),
    }
  }

  wake(): void {
    this.#own?.wake()
    this.#link?.send({ kind: 'wake' })
    this.#beat()
  }

  async close(): Promise<void> {
    if (this.#phase === 'closed') return
    this.#end()
    const own = this.#letGo()
    this.#calls.lose()
    this.#enter('closed', undefined)
    await own
  }

  #start(): void {
    if (this.#phase !== 'joining') return
    const [openLink, ...others] = this.#links
    if (!openLink) {
      this.#openOwn()
      return
    }
    this.#answeredAt = this.#parts.environment.now()
    this.#link = openLink({
      onMessage: (message) => this.#receive(message),
      onFailure: () => {
        this.#links = others
        this.#rejoin()
      },
    })
    this.#join()
    this.#setTimer()
  }

  #join(): void {
    const position = this.#listener.position()
    this.#link?.send({ kind: 'join', position, owner: this.#listener.owner?.() ?? '' })
  }

  /** Whoever had the connection is gone, or is another one. */
  #rejoin(): void {
    if (this.#phase !== 'joining' && this.#phase !== 'joined') return
    this.#link?.close()
    this.#link = undefined
    this.#lost()
    this.#start()
  }

  #lost(): void {
    if (this.#phase === 'joined') this.#calls.lose()
    this.#phase = 'joining'
    if (this.#state === 'open' && !this.#own) {
      this.#enter('reconnecting', new ChannelError('connection_lost', 'Whoever had the shared connection is gone.'))
    }
  }

  #receive(message: ToTab): void {
    if (this.#phase !== 'joining' && this.#phase !== 'joined') return
    this.#answeredAt = this.#parts.environment.now()
    switch (message.kind) {
      case 'joined':
        this.#phase = 'joined'
        return
      case 'behind':
        this.#openOwn()
        return
      case 'changed':
        this.#lost()
        this.#join()
        return
      case 'ask-token':
        void this.#answerToken(message.request)
        return
      case 'beat':
        this.#heardAt = message.heardAt
        return
      default:
        if (this.#phase === 'joined') this.#receiveShared(message)
    }
  }

  #receiveShared(message: ToTab): void {
    switch (message.kind) {
      case 'message':
        this.#heardAt = this.#parts.environment.now()
        this.#listener.onMessage(message.message)
        return
      case 'channel-state':
        this.#listener.onChannelState(message.state)
        return
      case 'owner':
        this.#listener.onOwner?.(message.owner)
        return
      case 'state':
        this.#followState(message.state, message.error)
        return
      case 'error':
        this.#listener.onError(toError(message.error))
        return
      case 'record':
        this.#calls.receive(message.record)
        return
      default:
    }
  }

  #followState(state: ConnectionState, shared: SharedError | undefined): void {
    if (state === 'open') {
      // What it caught up with alone is done: the shared connection is past it.
      void this.#own?.close()
      this.#own = undefined
    } else if (this.#own) return
    if (state === 'closed') {
      this.#end()
      void this.#letGo()
    } else if (state !== 'open') this.#calls.lose(shared && toError(shared))
    const error = shared && toError(shared)
    this.#enter(state === 'connecting' && this.#hasOpened ? 'reconnecting' : state, error)
    // Nothing is heard of the link any more.
    if (state === 'closed' && error) this.#listener.onError(error)
  }

  /** With all guarantees, and one connection more than there should be: until the shared one has what is next. */
  #openOwn(): void {
    if (this.#own) return
    const own = this.#parts.openOwn({
      ...this.#listener,
      onStateChange: (state, _previous, error) => {
        if (this.#own !== own) return
        if (state === 'closed') {
          this.#end()
          void this.#letGo()
        }
        this.#enter(state === 'connecting' && this.#hasOpened ? 'reconnecting' : state, error)
        if (state === 'open' && this.#link) this.#join()
      },
      onError: (error) => {
        if (this.#own === own || this.#phase === 'closed') this.#listener.onError(error)
      },
    })
    this.#own = own
  }

  #call(message: HubMessage): void {
    if (this.#phase !== 'joined') throw new ChannelError('connection_lost', 'There is no shared connection now.')
    this.#link?.send({ kind: 'call', message })
  }

  async #answerToken(request: number): Promise<void> {
    try {
      this.#link?.send({ kind: 'token', request, token: await this.#parts.accessToken() })
    } catch (cause) {
      this.#link?.send({ kind: 'token', request, failure: String(cause) })
    }
  }

  /** Asks whether somebody is there, and gives up who has not answered for too long. */
  #beat(): void {
    if (!this.#link) return
    if (this.#parts.environment.now() - this.#answeredAt > ANSWER_TIMEOUT_MS + BEAT_MS) {
      // A tab that slept has not been answered either: it asks first.
      this.#answeredAt = this.#parts.environment.now() - BEAT_MS
      this.#silent()
      return
    }
    this.#link.send({ kind: 'beat' })
    // One that answered `behind`, or nothing at all, is asked again.
    if (this.#phase === 'joining' && this.#own?.state !== 'connecting') this.#join()
  }

  #silent(): void {
    // Whoever has the connection may only be asleep: a link of the same kind finds that out.
    this.#rejoin()
    // Meanwhile this tab goes on by itself.
    this.#openOwn()
  }

  #setTimer(): void {
    this.#timer?.stop()
    this.#timer = this.#parts.environment.after(BEAT_MS, () => {
      this.#beat()
      if (this.#phase === 'joining' || this.#phase === 'joined') this.#setTimer()
    })
  }

  #freeze(): void {
    if (this.#phase !== 'joining' && this.#phase !== 'joined') return
    this.#phase = 'frozen'
    this.#calls.lose()
    void this.#letGo()
    if (this.#state === 'open') this.#enter('reconnecting', undefined)
  }

  #thaw(): void {
    if (this.#phase !== 'frozen') {
      this.wake()
      return
    }
    this.#phase = 'joining'
    this.#links = this.#parts.links
    this.#start()
  }

  #end(): void {
    this.#phase = 'closed'
    this.#stopSigns()
  }

  async #letGo(): Promise<void> {
    this.#timer?.stop()
    this.#link?.send({ kind: 'leave' })
    this.#link?.close()
    this.#link = undefined
    const own = this.#own
    this.#own = undefined
    await own?.close()
  }

  #enter(state: ConnectionState, error: ChannelError | undefined): void {
    const previous = this.#state
    if (state === previous) return
    this.#state = state
    this.#hasOpened ||= state === 'open'
    this.#listener.onStateChange(state, previous, error)
  }
}

function toError({ code, message }: SharedError): ChannelError {
  return new ChannelError(code, message)
}
