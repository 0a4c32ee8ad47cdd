import type { Channel } from '../channel/channel.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { LocalClients } from '../hub/remote-clients.ts'
import type { Roster } from '../hub/roster.ts'
import type { Cluster } from './cluster.ts'
import type { Question } from './signal.ts'

export interface DisconnectUserOptions {
  /** What the clients are told. Default: that the server ended the connection. */
  readonly reason?: string
  /** For how many milliseconds the user may not connect again, on any node. Default 0. */
  readonly blockMs?: number
}

export interface ConnectionsParts {
  readonly channel: Channel
  readonly roster: Roster
  readonly cluster: Cluster
  /** This node's hub at the path, if there is one. */
  readonly hubAt: (path: string) => LocalClients | undefined
  readonly now: () => number
}

const REASON = 'The server ended the connection.'
/** A year: who is to stay away for longer is for `authenticate` to refuse. */
const BLOCK_MS_MAX = 31_622_400_000

/** The connections of all nodes, as one node sees them and acts on them: its own at once, those of others by asking. */
export class Connections {
  readonly #parts: ConnectionsParts

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
  }

  async setGroup(connection: string, group: string, isIn: boolean): Promise<boolean> {
    return (await this.#ask({ what: 'group', connection, group, isIn })) > 0
  }

  setUserGroup(user: string, group: string, isIn: boolean): Promise<number> {
    return this.#askAll({ what: 'userGroup', user, group, isIn })
  }

  async disconnect(connection: string, reason: string = REASON): Promise<boolean> {
    return (await this.#ask({ what: 'disconnect', connection, reason })) > 0
  }

  /** @throws RangeError where the time is none */
  disconnectUser(user: string, { reason = REASON, blockMs = 0 }: DisconnectUserOptions): Promise<number> {
    if (!(blockMs >= 0 && blockMs <= BLOCK_MS_MAX)) {
      throw new RangeError(`'blockMs' needs to be a number of ms from 0 to ${BLOCK_MS_MAX}; it is ${blockMs}.`)
    }
    return this.#askAll({ what: 'disconnectUser', user, reason, until: this.#parts.now() + blockMs })
  }

  async allowUser(user: string): Promise<void> {
    await this.#askAll({ what: 'allowUser', user })
  }

  connectionsOf(user: string): readonly string[] {
    const { channel, cluster } = this.#parts
    return [...channel.connectionsOf(user), ...cluster.connectionsOf(user)]
  }

  isOnline(user: string): boolean {
    const { channel, cluster } = this.#parts
    return !channel.connectionsOf(user).next().done || !cluster.connectionsOf(user).next().done
  }

  presence(): ReadonlyMap<string, number> {
    const { channel, cluster } = this.#parts
    const users = new Set([...channel.users(), ...cluster.users()])
    return new Map([...users].map((user) => [user, this.connectionsOf(user).length]))
  }

  /**
   * Does what this node or another asks. @returns how many connections of this node it was about
   * @throws RangeError where a connection is in too many groups already
   */
  answer(question: Question): number {
    const { channel, roster, cluster } = this.#parts
    switch (question.what) {
      case 'group':
        return this.#setGroup(question.connection, question.group, question.isIn)
      case 'hubGroup': {
        const { path, connection, group, isIn } = question
        return Number(this.#parts.hubAt(path)?.setGroup(connection, group, isIn) ?? false)
      }
      case 'userGroup': {
        const connections = [...channel.connectionsOf(question.user)]
        for (const connection of connections) this.#setGroup(connection, question.group, question.isIn)
        return connections.length
      }
      case 'disconnect':
        return roster.closeWhere(({ id }) => id === question.connection, ended(question.reason))
      case 'disconnectUser':
        cluster.block(question.user, question.until)
        return roster.closeWhere(({ identity }) => identity.user === question.user, ended(question.reason))
      case 'allowUser':
        cluster.allow(question.user)
        return 0
      default:
        // Of a newer version.
        question satisfies never
        return 0
    }
  }

  /** @throws ChannelError `disconnected` where the user must stay away */
  requireAllowed(user: string | undefined): void {
    if (user === undefined || !this.#parts.cluster.isBlocked(user)) return
    throw new ChannelError('disconnected', 'The server lets this user connect again later.')
  }

  #setGroup(connection: string, group: string, isIn: boolean): number {
    const { channel } = this.#parts
    return Number(isIn ? channel.joinGroup(connection, group) : channel.leaveGroup(connection, group))
  }

  /** What is about one connection is over where that is. */
  async #ask(question: Question): Promise<number> {
    return this.answer(question) || (await this.#parts.cluster.ask(question))
  }

  async #askAll(question: Question): Promise<number> {
    return this.answer(question) + (await this.#parts.cluster.ask(question))
  }
}

function ended(reason: string): ChannelError {
  return new ChannelError('disconnected', reason)
}
