import { randomBytes } from 'node:crypto'
import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import type { Appended, Durability, LogFollower, LogState, Store, StoreRead } from '../channel/store.ts'
import { APPEND_LIMITS, AppendQueue, EngineAway } from './append-queue.ts'
import { draftToText, entryFromText } from './draft-text.ts'
import type { HistoryBounds } from './history-bounds.ts'
import { type RedisAddress, RedisKeys } from './redis-address.ts'
import { type RedisLevel, readLevel } from './redis-durability.ts'
import { RedisLink } from './redis-link.ts'
import { parseRead, RedisReader } from './redis-reader.ts'
import { APPEND, CHECK, READ, SETTLE } from './redis-scripts.ts'
import { RedisSignals } from './redis-signals.ts'

const OPEN_MS_MAX = 10_000
const CHECK_MS = 1000
/** Every so many checks Redis is asked how it keeps what it is given. */
const LEVEL_CHECKS = 10
/** Entries that do not come for so long, though they are there, do not come on this connection. */
const SILENCE_MS_MAX = 5000
const CLOSE_MS_MAX = 2000
const SETTLE_TRIES_MAX = 10
const LEVELS: readonly RedisLevel[] = ['memory', 'logged', 'synced']

/**
 * Keeps the log in a Redis stream, for any number of nodes. What is one step of the log is one script. Redis may lose or
 * rewind what it had: then the log gets another epoch, once for all nodes (see the script SETTLE).
 */
export class RedisStore implements Store {
  readonly #address: RedisAddress
  readonly #bounds: HistoryBounds
  readonly #keys: RedisKeys
  readonly #node = randomBytes(9).toString('base64url')
  readonly #queue: AppendQueue
  #links: { readonly commands: RedisLink; readonly reader: RedisReader; readonly signals: RedisSignals } | undefined
  #follower: LogFollower | undefined
  #epoch = ''
  #head = 0
  #trimmedTo = 0
  #level: RedisLevel = 'memory'
  #trouble: string | undefined
  #settling: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isChecking = false
  #checks = 0
  #silentSinceMs: number | undefined
  #isOpen = false
  #closing: Promise<void> | undefined

  constructor(address: RedisAddress, bounds: HistoryBounds) {
    this.#address = address
    this.#bounds = bounds
    this.#keys = new RedisKeys(address.channel)
    this.#queue = new AppendQueue({
      engine: 'Redis',
      write: (drafts, number) => this.#write(drafts, number),
      limits: { ...APPEND_LIMITS, bytesMax: bounds.storeWaitingBytesMax },
    })
  }

  get durability(): Durability {
    return this.#address.replicas > 0 ? 'replicated' : this.#level
  }

  get trouble(): string | undefined {
    if (!this.#isOpen) return 'The Redis store is not open.'
    if (this.#links?.commands.isReady === false) return `Redis can't be reached: ${reason(this.#links.commands.error)}`
    if (this.#queue.away) return `Redis does not take appends: ${reason(this.#queue.away.cause)}`
    return this.#trouble
  }

  async open(follower: LogFollower): Promise<LogState> {
    const commands = new RedisLink(this.#address, 'commands', () => this.#onConnected())
    const reader = new RedisReader({
      address: this.#address,
      keys: this.#keys,
      onEntries: (entries) => {
        this.#head = Math.max(this.#head, reader.delivered)
        this.#silentSinceMs = undefined
        follower.onEntries(entries)
      },
      onDoubt: () => void this.#settle().catch(() => {}),
    })
    const signals = new RedisSignals(this.#address, this.#keys, this.#node, (text) => follower.onSignal(text))
    this.#links = { commands, reader, signals }
    try {
      await this.#reach(commands, signals)
    } catch (error) {
      commands.close()
      reader.close()
      signals.close()
      throw error
    }
    this.#follower = follower
    this.#isOpen = true
    this.#timer = setInterval(() => void this.#check(), CHECK_MS)
    this.#timer.unref()
    reader.follow(this.#epoch, this.#head)
    return this.state()
  }

  async append(drafts: readonly Draft[]): Promise<Appended> {
    if (!this.#isOpen)
      throw new ChannelError('channel_closed', 'The Redis store is closed; the message was not posted.')
    if (drafts.length === 0) return { epoch: this.#epoch, offsets: [], durability: this.durability }
    return await this.#queue.append(drafts)
  }

  async read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    const commands = this.#commands()
    const epoch = this.#epoch
    for (let tries = 0; tries < SETTLE_TRIES_MAX && epoch === this.#epoch; tries++) {
      const keys = [this.#keys.meta, this.#keys.log(epoch)]
      const found = parseRead(await commands.run(READ, keys, [epoch, after, countMax, bytesMax, 'trimmedTo']))
      if (found === 'trimmed') return { entries: [], isTrimmed: true }
      if (found !== 'unsettled') {
        return { entries: found.map(([offset, text]) => entryFromText(text, offset)), isTrimmed: false }
      }
      await this.#settle()
    }
    throw new ChannelError('store_failed', 'The log was lost or rewound while it was read; read again.')
  }

  state(): LogState {
    return { epoch: this.#epoch, head: this.#head, trimmedTo: this.#trimmedTo }
  }

  async signal(text: string): Promise<void> {
    const commands = this.#commands()
    await this.#links?.signals.say(commands, text)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isOpen = false
    clearInterval(this.#timer)
    await this.#queue.close()
    const { commands, reader, signals } = this.#links ?? {}
    const end = performance.now() + CLOSE_MS_MAX
    const isBehind = (): boolean => reader !== undefined && reader.delivered < this.#head && commands?.isReady === true
    // What was acknowledged is told before the end, where it can be.
    while (this.#follower !== undefined && isBehind() && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    this.#follower = undefined
    for (const link of [commands, reader, signals]) link?.close()
  }

  #commands(): RedisLink {
    if (!this.#links || !this.#isOpen) throw new ChannelError('channel_closed', 'The Redis store is closed.')
    return this.#links.commands
  }

  async #reach(commands: RedisLink, signals: RedisSignals): Promise<void> {
    const end = performance.now() + OPEN_MS_MAX
    for (;;) {
      try {
        await this.#settle()
        await signals.listen()
        break
      } catch (cause) {
        if (!(cause instanceof EngineAway) || performance.now() > end) {
          const message = `Redis can't be used for the log: ${reason(commands.error ?? cause)}`
          throw new ChannelError('store_failed', message, { cause })
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const { durability } = this.#bounds
    if (durability !== undefined && LEVELS.indexOf(this.#level) < LEVELS.indexOf(durability)) {
      const settings = durability === 'synced' ? 'appendonly yes and appendfsync always' : 'appendonly yes'
      const message = `This Redis keeps what it is given at the level '${this.#level}'; '${durability}' needs ${settings} in its configuration.`
      throw new ChannelError('store_failed', message)
    }
  }

  /** After each connecting: it may be another engine, or have another log. */
  #onConnected(): void {
    if (!this.#isOpen) return
    this.#settle().then(
      () => this.#queue.resume(),
      () => {},
    )
  }

  /** Writes one piece, to the log that the node knows, or to the one that it gets to know then. */
  async #write(drafts: readonly Draft[], number: number): Promise<Appended> {
    const commands = this.#links?.commands
    if (!commands) throw new EngineAway('The Redis store has no connection.')
    for (let tries = 0; tries < SETTLE_TRIES_MAX; tries++) {
      const epoch = this.#epoch
      const { meta, ids } = this.#keys
      const keys = [meta, ids, this.#keys.log(epoch), this.#keys.node(this.#node)]
      const args: (string | number)[] = [epoch, ...this.#boundsNow(), number]
      for (const draft of drafts) {
        // As JSON: an id may have characters that UTF-8 can't carry.
        const id = draft.isIdempotent ? JSON.stringify(draft.id) : ''
        args.push(draft.bytes, draft.postedAt, id, draftToText(draft))
      }
      const [answer, replicas] = await this.#ask(commands, keys, args)
      if (statusOf(answer) !== 'appended' || !Array.isArray(answer)) {
        await this.#settle()
        continue
      }
      if (epoch !== this.#epoch) continue
      const offsets = String(answer[2]).split(',').map(Number)
      for (const offset of offsets) this.#head = Math.max(this.#head, offset)
      this.#trimmedTo = Math.max(this.#trimmedTo, Number(answer[1]))
      this.#trouble = undefined
      const { replicas: asked } = this.#address
      return { epoch, offsets, durability: asked > 0 && replicas >= asked ? 'replicated' : this.#level }
    }
    throw new EngineAway('The log changes its epoch again and again.')
  }

  async #ask(
    commands: RedisLink,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<[unknown, number]> {
    const { replicas, replicasTimeoutMs } = this.#address
    try {
      const answer = await commands.run(APPEND, keys, args)
      if (replicas === 0 || statusOf(answer) !== 'appended') return [answer, 0]
      return [answer, await commands.ask((client) => client.wait(replicas, replicasTimeoutMs))]
    } catch (cause) {
      if (cause instanceof EngineAway) throw cause
      this.#trouble = `Redis refuses appends: ${reason(cause)}`
      throw new ChannelError('store_failed', `${this.#trouble} The message was not posted.`, { cause })
    }
  }

  /** What the log is in Redis, and whether it is still the one that this node knows. @throws EngineAway */
  #settle(): Promise<void> {
    this.#settling ??= this.#settleNow().finally(() => {
      this.#settling = undefined
    })
    return this.#settling
  }

  async #settleNow(): Promise<void> {
    const commands = this.#links?.commands
    if (!commands) return
    const { meta, ids } = this.#keys
    this.#level = await readLevel(commands, meta, this.#address.kind === 'cluster')
    for (let tries = 0; tries < SETTLE_TRIES_MAX; tries++) {
      const found = (await commands.ask((client) => client.hget(meta, 'epoch'))) ?? ''
      const fresh = randomBytes(9).toString('base64url')
      const keys = [meta, ids, this.#keys.log(found), this.#keys.log(fresh)]
      const answer = await commands.run(SETTLE, keys, [found, fresh, this.#level, this.#epoch, this.#head])
      if (Array.isArray(answer) && answer[0] === 'settled') {
        const [head = 0, trimmedTo = 0, start = 0] = answer.slice(2, 5).map(Number)
        const why = String(answer[5])
        if (why !== '' && this.#epoch !== '') this.#bounds.onWarning(`Redis: the log has a new epoch, as ${why}.`)
        this.#goOn({ epoch: String(answer[1]), head, trimmedTo }, start)
        return
      }
    }
    throw new EngineAway('The log changes its epoch again and again.')
  }

  #goOn(state: LogState, start: number): void {
    const { reader, signals } = this.#links ?? {}
    const isAnother = state.epoch !== this.#epoch
    if (!isAnother && reader?.isLost !== true) {
      this.#trimmedTo = Math.max(this.#trimmedTo, state.trimmedTo)
      return
    }
    this.#epoch = state.epoch
    this.#head = state.head
    this.#trimmedTo = state.trimmedTo
    this.#silentSinceMs = undefined
    if (!this.#follower) return
    // Another node may have begun the epoch, and appended: what came since the beginning is told too, where it is there.
    const from = isAnother && start >= state.trimmedTo ? start : state.head
    this.#follower.onEpoch({ ...state, head: from })
    reader?.follow(state.epoch, from)
    // It may listen to an engine that is nobody's any more.
    if (isAnother) signals?.reconnect()
  }

  /** Once a second: is it the log that the node knows, what is too old, does what is appended come. */
  async #check(): Promise<void> {
    const { commands, reader, signals } = this.#links ?? {}
    if (this.#isChecking || !commands?.isReady || !reader || !signals) return
    this.#isChecking = true
    try {
      const { meta, ids } = this.#keys
      if (++this.#checks % LEVEL_CHECKS === 0) await this.#checkLevel(commands)
      const keys = [meta, ids, this.#keys.log(this.#epoch)]
      const answer = await commands.run(CHECK, keys, [this.#epoch, ...this.#boundsNow()])
      if (statusOf(answer) !== 'known' || reader.isLost) await this.#settle()
      else if (Array.isArray(answer)) {
        this.#trimmedTo = Math.max(this.#trimmedTo, Number(answer[2]))
        this.#checkReader(reader, Number(answer[1]))
      }
      if (this.#trouble !== undefined) await commands.ask((client) => client.hset(meta, 'level', this.#level))
      this.#trouble = undefined
      await signals.check(commands)
    } catch (error) {
      if (!(error instanceof EngineAway)) this.#trouble = `Redis refuses what the log needs: ${reason(error)}`
    } finally {
      this.#isChecking = false
    }
  }

  async #checkLevel(commands: RedisLink): Promise<void> {
    const level = await readLevel(commands, this.#keys.meta, this.#address.kind === 'cluster')
    if (level !== this.#level) await commands.ask((client) => client.hset(this.#keys.meta, 'level', level))
    this.#level = level
  }

  #checkReader(reader: RedisReader, head: number): void {
    const now = performance.now()
    if (head <= reader.delivered) this.#silentSinceMs = undefined
    else if (this.#silentSinceMs === undefined) this.#silentSinceMs = now
    else if (now - this.#silentSinceMs > SILENCE_MS_MAX) {
      this.#silentSinceMs = now
      reader.reconnect()
    }
  }

  #boundsNow(): readonly [head: number, countMax: number, bytesMax: number, oldest: number] {
    const { historyCountMax, historyBytesMax, historyAgeMaxMs, now } = this.#bounds
    return [this.#head, historyCountMax, historyBytesMax, now() - historyAgeMaxMs]
  }
}

/** What a script's answer begins with. */
function statusOf(answer: unknown): unknown {
  return Array.isArray(answer) ? answer[0] : undefined
}

function reason(error: unknown): string {
  const cause = error instanceof EngineAway && error.cause !== undefined ? error.cause : error
  return cause instanceof Error && cause.message !== '' ? cause.message : 'there is no answer.'
}
