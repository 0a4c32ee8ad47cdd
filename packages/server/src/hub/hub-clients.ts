import type { InvocableName, MethodArguments, MethodName, MethodResult } from '@serverchannel/protocol'
import type { Audience } from '../channel/audience.ts'
import type { HubDirectory, InvokeOptions, Member } from './hub-directory.ts'
import type { RemoteClients } from './remote-clients.ts'
import { SharedCall } from './shared-call.ts'

/** Some of a hub's clients, chosen anew with each call. */
export interface ClientTarget<Methods> {
  /**
   * Calls the method of each of them. Never waits, for nobody: a connection that holds too much already is closed with
   * `reader_stalled`, so that it may come back. Encoded once, however many they are.
   *
   * @throws where the arguments can't be encoded: TypeError for a bigint, a circle
   */
  send<Name extends MethodName<Methods>>(method: Name, ...args: MethodArguments<Methods[Name]>): void
}

/** One client. */
export interface SingleClient<Methods> extends ClientTarget<Methods> {
  /**
   * Calls the method of the client, whichever node has it, and gives its answer. Where nobody awaits it, its rejection
   * goes unnoticed.
   *
   * @returns rejects with HubException where the client answered with an error (its text; `Client didn't provide a
   * result.` where it has no such method), with ChannelError `not_found` where there is no such connection or it is
   * lost meanwhile, or its node is, with `client_timeout` where no answer came in time, with the signal's reason where
   * that was aborted, with RangeError where `clientResultsMax` of its results are awaited already
   * @example const name = await clients.client(id).invoke('AskName')
   */
  invoke<Name extends InvocableName<Methods>>(
    method: Name,
    ...args: MethodArguments<Methods[Name]>
  ): Promise<MethodResult<Methods[Name]>>
  /** The same client, whose results are awaited so. @example client.with({ timeoutMs: 5000 }).invoke('AskName') */
  with(options: InvokeOptions): SingleClient<Methods>
}

/** A hub's clients, for those who are none of them. Source: .NET's `IHubClients`. */
export interface HubClients<Methods> {
  readonly all: ClientTarget<Methods>
  allExcept(connectionIds: Iterable<string>): ClientTarget<Methods>
  client(connectionId: string): SingleClient<Methods>
  clients(connectionIds: Iterable<string>): ClientTarget<Methods>
  /** All connections of the user. */
  user(user: string): ClientTarget<Methods>
  users(users: Iterable<string>): ClientTarget<Methods>
  group(group: string): ClientTarget<Methods>
  /** Who is in several of them gets the call once. */
  groups(groups: Iterable<string>): ClientTarget<Methods>
  groupExcept(group: string, connectionIds: Iterable<string>): ClientTarget<Methods>
}

/** A hub's clients as one of them sees them. Source: .NET's `IHubCallerClients`. */
export interface CallerClients<Methods> extends HubClients<Methods> {
  readonly caller: SingleClient<Methods>
  readonly others: ClientTarget<Methods>
  othersInGroup(group: string): ClientTarget<Methods>
}

export interface HubClientsParts {
  readonly directory: HubDirectory
  readonly remote: RemoteClients
  /** How long a client's result is awaited. */
  readonly timeoutMs: number
}

/** A hub's clients. The types of the methods are the contract's: nothing of them is checked here. */
export function createHubClients<Methods>(parts: HubClientsParts): HubClients<Methods> {
  const target = (audience: Audience): ClientTarget<Methods> => ({
    send(method, ...args) {
      deliver(parts.directory, audience, method, args)
      parts.remote.send(audience, method, args)
    },
  })
  return {
    all: target({ all: true }),
    allExcept: (ids) => target({ all: true, except: [...ids] }),
    client: (id) => toSingle(parts, id, {}),
    clients: (ids) => target({ connections: [...ids] }),
    user: (user) => target({ users: [user] }),
    users: (users) => target({ users: [...users] }),
    group: (group) => target({ groups: [group] }),
    groups: (groups) => target({ groups: [...groups] }),
    groupExcept: (group, ids) => target({ groups: [group], except: [...ids] }),
  }
}

export function createCallerClients<Methods>(
  clients: HubClients<Methods>,
  connectionId: string,
): CallerClients<Methods> {
  return {
    ...clients,
    caller: clients.client(connectionId),
    others: clients.allExcept([connectionId]),
    othersInGroup: (group) => clients.groupExcept(group, [connectionId]),
  }
}

function toSingle<Methods>(parts: HubClientsParts, id: string, options: InvokeOptions): SingleClient<Methods> {
  const { directory, remote, timeoutMs } = parts
  return {
    send(method, ...args) {
      const audience = { connections: [id] }
      if (directory.get(id)) deliver(directory, audience, method, args)
      else remote.send(audience, method, args)
    },
    invoke(method, ...args) {
      const member = directory.get(id)
      const answer = member
        ? member.invoke(method, args, options)
        : remote.invoke(id, method, args, { timeoutMs, ...options })
      // Nobody need await it: a rejection that nobody handles would end the process.
      answer.catch(() => {})
      // What clients answer is the contract's word, and theirs.
      return answer as Promise<never>
    },
    with: (more) => toSingle(parts, id, { ...options, ...more }),
  }
}

/** Calls the method of those in the directory whom it is for. @throws what the arguments can't be encoded for */
export function deliver(directory: HubDirectory, audience: Audience, target: string, args: readonly unknown[]): void {
  const call = new SharedCall(target, args)
  const { except } = audience
  const excepted = except && except.length > 0 ? new Set(except) : undefined
  for (const member of select(directory, audience)) if (!excepted?.has(member.id)) member.deliver(call)
  call.throwFailure()
}

function select(directory: HubDirectory, audience: Audience): Iterable<Member> {
  if (audience.all) return directory.all()
  const { users = [], groups = [], connections = [] } = audience
  const [user] = users
  const [group] = groups
  if (connections.length === 0 && users.length + groups.length === 1) {
    if (user !== undefined) return directory.ofUser(user)
    if (group !== undefined) return directory.ofGroup(group)
  }
  const members = new Set<Member>()
  for (const name of users) for (const member of directory.ofUser(name)) members.add(member)
  for (const name of groups) for (const member of directory.ofGroup(name)) members.add(member)
  for (const id of connections) {
    const member = directory.get(id)
    if (member) members.add(member)
  }
  return members
}
