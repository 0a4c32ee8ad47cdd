import type { ChannelState, Message } from '@serverchannel/protocol'
import { ChannelError } from '../channel-error.ts'
import type { ConnectionState } from '../connection-state.ts'
import type { Environment, Timer } from '../environment.ts'
import type { MessageSource, SourceListener } from '../source.ts'
import { createRelayCalls, type RelayCalls } from './relay-calls.ts'
import { createSharedHistory, type SharedHistory } from './shared-history.ts'
import type { SharedError, ToRelay, ToTab } from './tab-message.ts'

/** What a relay is made of. */
export interface RelayParts {
  readonly environment: Environment
  /** Opens the one connection. */
  readonly openSource: (
    listener: SourceListener,
    more: { readonly createCalls: RelayCalls['create']; readonly accessToken: () => Promise<string> },
  ) => MessageSource
  /** Takes it to one tab. */
  readonly toTab: (tab: string, message: ToTab) => void
  /** Takes it to all tabs that have joined. */
  readonly toAll: (tabs: Iterable<string>, message: ToTab) => void
}

/** Tokens are asked for in one tab after another, each for so long. */
const TOKEN_TIMEOUT_MS = 5_000

/** Has the one connection that all tabs of a browser share, and gives each of them what is after its position. */
export class Relay {
  readonly #parts: RelayParts
  /** Those that have joined, in the order in which they did. */
  readonly #tabs = new Set<string>()
  readonly #calls: RelayCalls
  readonly #tokens = new Map<number, (answer: { token?: string | undefined; failure?: string }) => void>()
  #requests = 0
  #history: SharedHistory = createSharedHistory(undefined)
  #owner = ''
  #source: MessageSource | undefined

  constructor(parts: RelayParts) {
    this.#parts = parts
    this.#calls = createRelayCalls((tab, record) => parts.toTab(tab, { kind: 'record', record }))
  }

  /** How many tabs it serves. */
  get tabCount(): number {
    return this.#tabs.size
  }

  /** A tab said something. */
  receive(tab: string, message: ToRelay): void {
    switch (message.kind) {
      case 'join':
        this.#join(tab, message.position, message.owner)
        return
      case 'leave':
        this.remove(tab)
        return
      case 'beat':
        // Who has not joined would take an answer for a relay that serves it.
        if (this.#tabs.has(tab)) this.#parts.toTab(tab, { kind: 'beat', heardAt: this.#source?.heardAt })
        else this.#parts.toTab(tab, { kind: 'changed' })
        return
      case 'wake':
        this.#source?.wake()
        return
      case 'call':
        this.#calls.send(tab, message.message)
        return
      case 'token':
        this.#tokens.get(message.request)?.(message)
        return
      default:
        message satisfies never
    }
  }

  /** The tab is gone. Idempotent. */
  remove(tab: string): void {
    if (!this.#tabs.delete(tab)) return
    this.#calls.drop(tab)
    if (this.#tabs.size === 0) this.#closeSource()
  }

  /** Ends the connection; tabs are told that somebody else will have it. Idempotent. */
  close(): void {
    this.#tellAll({ kind: 'changed' })
    this.#tabs.clear()
    this.#closeSource()
  }

  #join(tab: string, position: string | undefined, owner: string): void {
    if (!this.#source || this.#source.state === 'closed') this.#openSource(position, owner)
    const covered = this.#history.after(position)
    if (!covered) {
      this.#parts.toTab(tab, { kind: 'behind' })
      return
    }
    this.#tabs.add(tab)
    const tell = (message: ToTab): void => this.#parts.toTab(tab, message)
    tell({ kind: 'joined' })
    if (this.#owner) tell({ kind: 'owner', owner: this.#owner })
    for (const message of covered.messages) tell({ kind: 'message', message })
    if (this.#source?.state === 'open' && covered.state) tell({ kind: 'channel-state', state: covered.state })
    tell({ kind: 'state', state: this.#source?.state ?? 'connecting' })
  }

  #openSource(position: string | undefined, owner: string): void {
    this.#closeSource()
    const history = createSharedHistory(position)
    this.#history = history
    this.#owner = owner
    /** What comes of a connection that was given up is not for those who joined since. */
    const current =
      <Args extends readonly unknown[]>(run: (...args: Args) => void) =>
      (...args: Args): void => {
        if (this.#history === history) run(...args)
      }
    this.#source = this.#parts.openSource(
      {
        position: () => history.position(),
        owner: () => this.#owner,
        onOwner: current((told: string) => {
          this.#owner = told
          this.#tellAll({ kind: 'owner', owner: told })
        }),
        onMessage: current((message: Message) => {
          if (history.add(message)) this.#tellAll({ kind: 'message', message })
        }),
        onChannelState: current((state: ChannelState) => {
          history.settle(state)
          this.#tellAll({ kind: 'channel-state', state })
        }),
        onStateChange: current((state: ConnectionState, _previous: ConnectionState, error: ChannelError | undefined) =>
          this.#tellAll({ kind: 'state', state, error: toShared(error) }),
        ),
        onError: current(({ code, message }: ChannelError) =>
          this.#tellAll({ kind: 'error', error: { code, message } }),
        ),
      },
      { createCalls: (send) => this.#calls.create(send), accessToken: () => this.#askToken() },
    )
  }

  #closeSource(): void {
    const source = this.#source
    this.#source = undefined
    this.#history = createSharedHistory(undefined)
    void source?.close()
  }

  /** The page that joined last is the likeliest to be looked at, and not to be frozen. */
  async #askToken(): Promise<string> {
    let failure = 'No tab answered.'
    for (const tab of [...this.#tabs].reverse()) {
      const answer = await this.#askTab(tab)
      if (answer.failure === undefined) return answer.token ?? ''
      failure = answer.failure
    }
    throw new ChannelError('access_token_failed', failure)
  }

  #askTab(tab: string): Promise<{ token?: string | undefined; failure?: string }> {
    const request = ++this.#requests
    let timer: Timer | undefined
    return new Promise<{ token?: string | undefined; failure?: string }>((resolve) => {
      this.#tokens.set(request, resolve)
      timer = this.#parts.environment.after(TOKEN_TIMEOUT_MS, () => resolve({ failure: 'The tab did not answer.' }))
      this.#parts.toTab(tab, { kind: 'ask-token', request })
    }).finally(() => {
      timer?.stop()
      this.#tokens.delete(request)
    })
  }

  #tellAll(message: ToTab): void {
    this.#parts.toAll(this.#tabs, message)
  }
}

function toShared(error: ChannelError | undefined): SharedError | undefined {
  return error && { code: error.code, message: error.message }
}
