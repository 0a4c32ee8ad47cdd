import { jsonCodec, type Position } from '@serverchannel/protocol'

/** Whom a message is for. */
export type TestAudience = 'all' | { readonly users?: readonly string[]; readonly groups?: readonly string[] }

/** Who a client is. */
export interface TestClient {
  readonly user?: string | undefined
  readonly groups?: readonly string[] | undefined
}

interface Entry {
  readonly offset: number
  readonly audience: TestAudience
  readonly text: string
}

/** What a client that comes back with a position is to get. */
export interface Missed {
  readonly texts: readonly string[]
  /** Undefined: there was nothing to recover. */
  readonly recovered: boolean | undefined
  readonly reason: 'epoch-changed' | 'history-trimmed' | undefined
}

/** The server's log, in memory: positions, and what somebody missed. */
export class TestLog {
  #epoch = 'test-1'
  #epochs = 1
  #head = 0
  #trimmedTo = 0
  #entries: Entry[] = []

  get position(): Position {
    return { epoch: this.#epoch, offset: this.#head }
  }

  /** @returns the message as the wire has it, which is its copy from now on */
  append(sender: string, body: unknown, audience: TestAudience, id: string | undefined): string {
    const offset = ++this.#head
    const position = `${this.#epoch}:${offset}`
    const encoded = JSON.stringify(body === undefined ? null : body)
    if (encoded === undefined) throw new TypeError(`A body of the type ${typeof body} is nothing that JSON can hold.`)
    const text = jsonCodec.encodeServerMessage({ id: id ?? `test-message-${offset}`, sender, body: encoded, position })
    this.#entries.push({ offset, audience, text })
    return text
  }

  after(position: Position | undefined, client: TestClient): Missed {
    if (!position) return { texts: [], recovered: undefined, reason: undefined }
    if (position.epoch !== this.#epoch || position.offset > this.#head) {
      return { texts: [], recovered: false, reason: 'epoch-changed' }
    }
    if (position.offset < this.#trimmedTo) return { texts: [], recovered: false, reason: 'history-trimmed' }
    const entries = this.#entries.filter(({ offset, audience }) => offset > position.offset && isFor(audience, client))
    return { texts: entries.map(({ text }) => text), recovered: true, reason: undefined }
  }

  /** What was posted until now is forgotten. */
  trim(): void {
    this.#trimmedTo = this.#head
    this.#entries = []
  }

  /** The log is lost, and begins anew under another name. */
  lose(): void {
    this.#epoch = `test-${++this.#epochs}`
    this.#head = 0
    this.#trimmedTo = 0
    this.#entries = []
  }
}

export function isFor(audience: TestAudience, { user, groups = [] }: TestClient): boolean {
  if (audience === 'all') return true
  if (user !== undefined && audience.users?.includes(user)) return true
  return audience.groups?.some((group) => groups.includes(group)) ?? false
}
