import type { InvocableName, MethodArguments, MethodName, MethodResult } from '@serverchannel/protocol'
import { ChannelError } from '../channel/channel-error.ts'
import type { HubDirectory, InvokeOptions, Member } from './hub-directory.ts'
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
   * Calls the method of the client and gives its answer. Where nobody awaits it, its rejection goes unnoticed.
   *
   * @returns rejects with HubException where the client answered with an error (its text; `Client didn't provide a
   * result.` where it has no such method), with ChannelError `not_found` where there is no such connection or it is
   * lost meanwhile, with `client_timeout` where no answer came in time, with the signal's reason where that was aborted
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

/** The clients of a directory. The types of the methods are the contract's: nothing of them is checked here. */
export function createHubClients<Methods>(directory: HubDirectory): HubClients<Methods> {
  return {
    all: toTarget(() => directory.all()),
    allExcept: (ids) => toTarget(except(() => directory.all(), ids)),
    client: (id) => toSingle(directory, id, {}),
    clients: (ids) => toTarget(union(ids, (id) => toList(directory.get(id)))),
    user: (user) => toTarget(() => directory.ofUser(user)),
    users: (users) => toTarget(union(users, (user) => directory.ofUser(user))),
    group: (group) => toTarget(() => directory.ofGroup(group)),
    groups: (groups) => toTarget(union(groups, (group) => directory.ofGroup(group))),
    groupExcept: (group, ids) => toTarget(except(() => directory.ofGroup(group), ids)),
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

type Select = () => Iterable<Member>

function toTarget<Methods>(select: Select): ClientTarget<Methods> {
  return { send: (method, ...args) => deliver(select(), method, args) }
}

function toSingle<Methods>(directory: HubDirectory, id: string, options: InvokeOptions): SingleClient<Methods> {
  return {
    send: (method, ...args) => deliver(toList(directory.get(id)), method, args),
    invoke(method, ...args) {
      const member = directory.get(id)
      const answer = member
        ? member.invoke(method, args, options)
        : Promise.reject(new ChannelError('not_found', `There is no connection '${id}'.`))
      // Nobody need await it: a rejection that nobody handles would end the process.
      answer.catch(() => {})
      // What clients answer is the contract's word, and theirs.
      return answer as Promise<never>
    },
    with: (more) => toSingle(directory, id, { ...options, ...more }),
  }
}

function deliver(members: Iterable<Member>, target: string, args: readonly unknown[]): void {
  const call = new SharedCall(target, args)
  for (const member of members) member.deliver(call)
  call.throwFailure()
}

function except(select: Select, ids: Iterable<string>): Select {
  const excepted = new Set(ids)
  return function* chosen() {
    for (const member of select()) if (!excepted.has(member.id)) yield member
  }
}

function union(keys: Iterable<string>, find: (key: string) => Iterable<Member>): Select {
  const chosen = [...keys]
  return () => {
    const members = new Set<Member>()
    for (const key of chosen) for (const member of find(key)) members.add(member)
    return members
  }
}

function toList(member: Member | undefined): readonly Member[] {
  return member ? [member] : []
}
