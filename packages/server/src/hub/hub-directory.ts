import type { SharedCall } from './shared-call.ts'

/** A connection as those know it who send to it. */
export interface Member {
  readonly id: string
  readonly user: string | undefined
  /** Groups it is in. The directory keeps them. */
  readonly groups: Set<string>
  /** Writes the call, or closes the connection where that holds too much already. Never waits. */
  deliver(call: SharedCall): void
  /** Calls the client and gives its answer. */
  invoke(target: string, args: readonly unknown[], options: InvokeOptions): Promise<unknown>
}

/** How long a client's result is awaited. */
export interface InvokeOptions {
  /** Default: `clientResultTimeoutMs`. */
  readonly timeoutMs?: number
  /** Aborted: `invoke` rejects with its reason, and an answer that comes later is ignored. */
  readonly signal?: AbortSignal
}

const NOBODY: ReadonlySet<Member> = new Set()

/** A hub's connections in this process by their id, their user and their groups. */
export class HubDirectory {
  readonly #members = new Map<string, Member>()
  readonly #byUser = new Map<string, Set<Member>>()
  readonly #byGroup = new Map<string, Set<Member>>()
  readonly #groupsMax: number

  constructor(groupsMax: number) {
    this.#groupsMax = groupsMax
  }

  get count(): number {
    return this.#members.size
  }

  add(member: Member): void {
    this.#members.set(member.id, member)
    if (member.user !== undefined) insert(this.#byUser, member.user, member)
  }

  /** Takes it out of everything. Idempotent. */
  remove(member: Member): void {
    if (this.#members.get(member.id) === member) this.#members.delete(member.id)
    if (member.user !== undefined) discard(this.#byUser, member.user, member)
    for (const group of member.groups) discard(this.#byGroup, group, member)
    member.groups.clear()
  }

  /** @returns false where there is no such connection. @throws RangeError where it is in too many groups already */
  join(id: string, group: string): boolean {
    const member = this.#members.get(id)
    if (!member) return false
    if (member.groups.has(group)) return true
    if (member.groups.size >= this.#groupsMax) {
      throw new RangeError(`Connection '${id}' is in ${this.#groupsMax} groups already ('connectionGroupsMax').`)
    }
    member.groups.add(group)
    insert(this.#byGroup, group, member)
    return true
  }

  /** @returns false where there is no such connection */
  leave(id: string, group: string): boolean {
    const member = this.#members.get(id)
    if (!member) return false
    if (member.groups.delete(group)) discard(this.#byGroup, group, member)
    return true
  }

  get(id: string): Member | undefined {
    return this.#members.get(id)
  }

  all(): Iterable<Member> {
    return this.#members.values()
  }

  ofUser(user: string): ReadonlySet<Member> {
    return this.#byUser.get(user) ?? NOBODY
  }

  ofGroup(group: string): ReadonlySet<Member> {
    return this.#byGroup.get(group) ?? NOBODY
  }
}

function insert(index: Map<string, Set<Member>>, key: string, member: Member): void {
  const members = index.get(key)
  if (members) members.add(member)
  else index.set(key, new Set([member]))
}

function discard(index: Map<string, Set<Member>>, key: string, member: Member): void {
  const members = index.get(key)
  if (members?.delete(member) && members.size === 0) index.delete(key)
}
