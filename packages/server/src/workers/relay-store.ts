import { ChannelError, isErrorCode } from '../channel/channel-error.ts'
import type { Draft, Entry } from '../channel/entry.ts'
import type { Appended, Durability, LogFollower, LogState, Store, StoreRead } from '../channel/store.ts'
import { draftToText, entryFromText } from '../stores/draft-text.ts'
import type { Link } from './link.ts'
import type { StoreNotice, StoreRequest, Stretch } from './store-messages.ts'

/** With so much on its way that the other process has not taken, appends fail: they can be tried again. */
const APPENDS_BYTES_MAX = 33_554_432

interface Question {
  resolve(answer: StoreNotice): void
  reject(error: Error): void
}

/** The log of another process of this program, which serves it with a `StoreHost` at the other end of the link. */
export class RelayStore implements Store {
  readonly #link: Pick<Link<StoreRequest, never>, 'send' | 'bufferedBytes' | 'close'>
  readonly #questions = new Map<number, Question>()
  #number = 0
  #follower: LogFollower | undefined
  #opening: Question | undefined
  #state: LogState = { epoch: '', head: 0, trimmedTo: 0 }
  #durability: Durability = 'memory'
  #trouble: string | undefined = 'It is not open.'

  constructor(link: Pick<Link<StoreRequest, never>, 'send' | 'bufferedBytes' | 'close'>) {
    this.#link = link
  }

  get durability(): Durability {
    return this.#durability
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  async open(follower: LogFollower): Promise<LogState> {
    this.#follower = follower
    await new Promise<StoreNotice>((resolve, reject) => {
      this.#opening = { resolve, reject }
      this.#link.send({ kind: 'open' })
    })
    return this.#state
  }

  async append(drafts: readonly Draft[]): Promise<Appended> {
    if (this.#link.bufferedBytes > APPENDS_BYTES_MAX) {
      throw new ChannelError('store_failed', 'Too many posts wait for the log already; try again in a while.')
    }
    const answer = await this.#ask((number) => ({ kind: 'append', number, texts: drafts.map(draftToText) }))
    if (answer.kind !== 'appended') throw new Error('The log gave another answer than was asked for.')
    const { epoch, offsets, durability } = answer
    return { epoch, offsets, durability }
  }

  async read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    const answer = await this.#ask((number) => ({ kind: 'read', number, after, countMax, bytesMax }))
    if (answer.kind !== 'found') throw new Error('The log gave another answer than was asked for.')
    return { entries: toEntries(answer), isTrimmed: answer.isTrimmed }
  }

  state(): LogState {
    return this.#state
  }

  signal(text: string): Promise<void> {
    this.#link.send({ kind: 'signal', text })
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#follower = undefined
    this.lost()
    this.#link.close()
    return Promise.resolve()
  }

  onMessage(notice: StoreNotice): void {
    switch (notice.kind) {
      case 'opened':
        this.#state = notice.state
        this.#durability = notice.durability
        this.#trouble = undefined
        this.#opening?.resolve(notice)
        return
      case 'entries': {
        const entries = toEntries(notice)
        this.#state = { ...this.#state, head: entries.at(-1)?.offset ?? this.#state.head, trimmedTo: notice.trimmedTo }
        this.#trouble = notice.trouble
        this.#follower?.onEntries(entries)
        return
      }
      case 'trimmed':
        this.#state = { ...this.#state, trimmedTo: notice.trimmedTo }
        this.#trouble = notice.trouble
        return
      case 'epoch':
        this.#state = notice.state
        this.#follower?.onEpoch(notice.state)
        return
      case 'signalled':
        this.#follower?.onSignal(notice.text)
        return
      case 'appended':
      case 'found':
        this.#take(notice.number)?.resolve(notice)
        return
      case 'failed':
        this.#take(notice.number)?.reject(toError(notice.code, notice.message))
        return
      default:
        notice satisfies never
    }
  }

  /** The link is gone: whoever waits learns it. */
  lost(): void {
    this.#trouble = 'The process that has the log is gone.'
    const error = new ChannelError('store_failed', 'The process that has the log is gone; try again in a while.')
    this.#opening?.reject(error)
    for (const question of this.#questions.values()) question.reject(error)
    this.#questions.clear()
  }

  #ask(toRequest: (number: number) => StoreRequest): Promise<StoreNotice> {
    if (this.#trouble !== undefined && !this.#follower) {
      return Promise.reject(new ChannelError('channel_closed', 'The log is closed.'))
    }
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      this.#questions.set(number, { resolve, reject })
      this.#link.send(toRequest(number))
    })
  }

  #take(number: number): Question | undefined {
    const question = this.#questions.get(number)
    this.#questions.delete(number)
    return question
  }
}

function toEntries({ first, texts }: Stretch): readonly Entry[] {
  return texts.map((text, index) => entryFromText(text, first + index))
}

function toError(code: string, message: string): Error {
  return isErrorCode(code) ? new ChannelError(code, message) : new Error(message)
}
