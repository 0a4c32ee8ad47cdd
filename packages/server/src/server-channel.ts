import type { Server } from 'node:http'
import { type BodyOf, type HubContract, type NoContract } from '@serverchannel/protocol'
import { type Logger } from 'pino'
import { isLoopbackAddress } from './auth/access.ts'
import { type PostOf, type PostOptions, toAll, toUsers } from './channel/addressing.ts'
import { Channel, type Receipt } from './channel/channel.ts'
import { ChannelError } from './channel/channel-error.ts'
import { type History, toHistory } from './channel/history.ts'
import type { ReadQuery } from './channel/history-query.ts'
import { type Post } from './channel/intake.ts'
import { Posting } from './channel/posting.ts'
import { Cluster } from './cluster/cluster.ts'
import { Connections, type DisconnectUserOptions } from './cluster/connections.ts'
import { addCurrentChannel, removeCurrentChannel } from './current-channel.ts'
import { Endpoints, type MapOptions, type MappedHub } from './endpoints.ts'
import { attachTo } from './http/attachment.ts'
import { addressOf, createOwnServer, listenOn } from './http/own-server.ts'
import { Routes } from './http/routes.ts'
import { UnusedSockets } from './http/unused-sockets.ts'
import { type ClientMessageReceiver, ClientMessages, type ReceiverOptions } from './hub/client-messages.ts'
import type { HubDefinition } from './hub/hub-definition.ts'
import type { ServeRaw } from './hub/raw-connection.ts'
import { Roster } from './hub/roster.ts'
import type { ListenAddress, ListenOptions } from './listen-options.ts'
import { type Limits } from './options.ts'
import type { Transaction } from './outbox/outbox.ts'
import type { TransactionChannel } from './outbox/transaction-channel.ts'
import { Transactions } from './outbox/transactions.ts'
import { PostFailures } from './post-failures.ts'
import { passed, systemClock } from './system-clock.ts'
import { Nodes } from './transports/nodes.ts'
import { WorkerPool } from './workers/worker-pool.ts'

/** Who polls and has been told the end has so long to ask once more, and to be told that there is nothing. */
const LAST_POLLS_MS = 1000

/** What it is made of. */
export interface ServerChannelParts {
  readonly channel: Channel
  readonly transactions: Transactions
  readonly failures: PostFailures
  readonly messages: ClientMessages
  readonly endpoints: Endpoints
  readonly nodes: Nodes | undefined
  readonly cluster: Cluster
  readonly connections: Connections
  readonly workers: WorkerPool | undefined
  readonly roster: Roster
  readonly routes: Routes
  readonly logger: Logger
  readonly development: boolean
  readonly limits: Limits
}

/** A channel on a server. Made by {@link createServerChannel}. */
export class ServerChannel<Contract = NoContract> {
  readonly #parts: ServerChannelParts
  readonly #detachers: (() => void)[] = []
  readonly #servers: { readonly server: Server; readonly unused: UnusedSockets }[] = []
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(parts: ServerChannelParts) {
    this.#parts = parts
    addCurrentChannel(this)
  }

  /** Process ids of the workers that take clients. */
  get workerPids(): readonly number[] {
    return this.#parts.workers?.pids ?? []
  }

  /** Connections of this process and its workers, those in the middle of their handshake included. */
  get connectionCount(): number {
    return this.#parts.roster.count
  }

  /** The log's newest position, `epoch:offset`. */
  get position(): string {
    return this.#parts.channel.position
  }

  /** Posts that failed and that nobody awaited. Each was logged. */
  get failedPosts(): number {
    return this.#parts.failures.count
  }

  /**
   * Posts a message. Awaited, it rejects where that fails; not awaited, the failure is logged and counted.
   *
   * @example await channel.post({ to: { groups: ['sales'] }, sender: 'OrderChanged', body: { id: 42 }, key: 'order:42' })
   */
  post<Sender extends string>(post: PostOf<Contract, Sender>): Posting<Receipt> {
    // Callers without types may give anything.
    const sender = (post as Post | null | undefined)?.sender
    const outcome = this.#parts.channel.post([post]).then(([receipt]) => {
      if (!receipt) throw new ChannelError('internal', 'The store gave no position.')
      return receipt
    })
    return new Posting(outcome, (error) => this.#parts.failures.unobserved(error, sender))
  }

  /** Posts a message to everybody. @example await channel.postMessageToAll('OrderChanged', { id: 42 }) */
  postMessageToAll<Sender extends string>(
    sender: Sender,
    body?: BodyOf<Contract, Sender>,
    options: PostOptions = {},
  ): Posting<Receipt> {
    return this.post(toAll(sender, body, options))
  }

  /** Posts a message to all connections of a user, or of several. @example await channel.postMessage('user-7', 'Ping') */
  postMessage<Sender extends string>(
    users: string | Iterable<string>,
    sender: Sender,
    body?: BodyOf<Contract, Sender>,
    options: PostOptions = {},
  ): Posting<Receipt> {
    return this.post(toUsers(users, sender, body, options))
  }

  /**
   * Posts in a transaction of a database: what is posted so is delivered exactly if the transaction commits, in the order
   * of the commits.
   *
   * @param transaction whatever runs SQL in it: a client of pg, a connection of mysql2, a database of better-sqlite3
   * @throws TypeError where there is neither an `outbox` nor a store that transactions can post to
   * @example
   * await client.query('BEGIN')
   * await client.query('UPDATE orders SET state = $1 WHERE id = $2', ['paid', 42])
   * await channel.in(client).postMessageToAll('OrderChanged', { id: 42 })
   * await client.query('COMMIT')
   */
  in(transaction: Transaction): TransactionChannel<Contract> {
    return this.#parts.transactions.in(transaction)
  }

  /**
   * Reads what the log has, a part at a time: for back ends that want to know what they missed.
   *
   * @throws ChannelError `position_invalid`, `query_invalid`, `store_failed`, `channel_closed`
   * @example
   * for (let after = kept, hasMore = true; hasMore; ) {
   *   const { messages, position, missed, ...rest } = await channel.read({ after, sender: 'OrderChanged' })
   *   if (missed) await loadAllOrders()
   *   for (const { Body } of messages) await apply(Body)
   *   after = position
   *   hasMore = rest.hasMore
   * }
   */
  async read(query: ReadQuery = {}): Promise<History> {
    return toHistory(await this.#parts.channel.read(query))
  }

  /**
   * Calls the receiver with what clients send by the hub's `SendMessage`: what is for the server (`ServerMsg`), and what
   * `clientMessagePolicy` lets pass; or with all messages of the senders that it names. What one receiver throws is
   * logged, and is of no matter for the others and for the client.
   *
   * @returns what takes the receiver off again
   * @example
   * const off = channel.onClientMessage(({ body }, { user }) => saveDraft(user, body), { senders: 'Draft' })
   */
  onClientMessage(receiver: ClientMessageReceiver, options: ReceiverOptions = {}): () => void {
    return this.#parts.messages.receive(receiver, options)
  }

  /**
   * From now on the group's messages are for this connection too, whichever node has it. One of this node is in the group
   * when the call returns.
   *
   * @returns false where there is no such connection
   * @example await channel.addToGroup(connectionId, 'sales')
   */
  addToGroup(connectionId: string, group: string): Promise<boolean> {
    return this.#parts.connections.setGroup(connectionId, group, true)
  }

  /** @returns false where there is no such connection */
  removeFromGroup(connectionId: string, group: string): Promise<boolean> {
    return this.#parts.connections.setGroup(connectionId, group, false)
  }

  /**
   * Puts all connections that the user has now into the group, on all nodes. Those that come later are in the groups
   * that `authenticate` says.
   *
   * @returns how many they are
   */
  addUserToGroup(user: string, group: string): Promise<number> {
    return this.#parts.connections.setUserGroup(user, group, true)
  }

  /** @returns how many connections of the user there are */
  removeUserFromGroup(user: string, group: string): Promise<number> {
    return this.#parts.connections.setUserGroup(user, group, false)
  }

  /**
   * Ends a connection, whichever node has it, with `disconnected`: its client does not come back by itself.
   *
   * @param reason what the client is told
   * @returns false where there is no such connection
   */
  disconnect(connectionId: string, reason?: string): Promise<boolean> {
    return this.#parts.connections.disconnect(connectionId, reason)
  }

  /**
   * Ends all connections of the user, on all nodes, of the channel and of hubs; for `blockMs` the user is let in on none.
   *
   * @returns how many connections were ended
   * @example await channel.disconnectUser('user-7', { reason: 'Signed out', blockMs: 60_000 })
   */
  disconnectUser(user: string, options: DisconnectUserOptions = {}): Promise<number> {
    return this.#parts.connections.disconnectUser(user, options)
  }

  /** Lets a user in again who was blocked. */
  allowUser(user: string): Promise<void> {
    return this.#parts.connections.allowUser(user)
  }

  /** Whether the user is connected to the channel, on any node. */
  isOnline(user: string): boolean {
    return this.#parts.connections.isOnline(user)
  }

  /** Ids of the user's connections to the channel, on all nodes. */
  connectionsOf(user: string): readonly string[] {
    return this.#parts.connections.connectionsOf(user)
  }

  /** Users who are connected to the channel, on all nodes, with how many connections each has. */
  presence(): ReadonlyMap<string, number> {
    return this.#parts.connections.presence()
  }

  /** Nodes that have the log open and are known to this one, itself included. */
  get nodeCount(): number {
    return this.#parts.cluster.nodeCount
  }

  /**
   * Serves a hub of one's own at a path, on all servers that this is attached to, with the same transports, bounds and
   * care as the channel. Can be called at any time.
   *
   * @returns what those have in hand who are no client of the hub: whom to call, and which groups there are
   * @throws TypeError where the path is none, or taken; RangeError where a bound is out of its range
   * @example
   * const chat = server.mapHub('/chat', defineHub<ChatContract>({ methods: { … } }))
   * chat.clients.group('sales').send('Said', 'server', 'hello')
   */
  mapHub<Hub extends HubContract>(
    path: string,
    definition: HubDefinition<Hub>,
    options: MapOptions = {},
  ): MappedHub<Hub> {
    return this.#parts.endpoints.mapHub(path, definition, options)
  }

  /**
   * Serves connections below the hub protocol at a path: bytes in, bytes out, over negotiation and all transports, or a
   * plain WebSocket.
   *
   * @throws TypeError where the path is none, or taken; RangeError where a bound is out of its range
   * @example
   * server.mapConnections('/echo', async (connection) => {
   *   for await (const data of connection) connection.send(data)
   * })
   */
  mapConnections(path: string, serve: ServeRaw, options: MapOptions = {}): void {
    this.#parts.endpoints.mapConnections(path, serve, options)
  }

  /**
   * Serves the channel on a server that exists: its hub, and, where keys are configured, the web service that posts. All
   * other requests go to the server's own listeners. To be called after the framework has put its listeners there.
   */
  attach(server: Server): void {
    this.#detachers.push(attachTo(server, this.#parts.routes))
  }

  /** Serves the channel on a server of its own, with `/livez` and `/readyz`. Rejects where the port can't be had. */
  async listen({ port = 0, host = '127.0.0.1' }: ListenOptions = {}): Promise<ListenAddress> {
    const { routes, development } = this.#parts
    if (development && host !== 'localhost' && !isLoopbackAddress(host)) {
      throw new TypeError(`In development mode the host is localhost or a loopback address, not '${host}'.`)
    }
    const server = createOwnServer(routes)
    this.attach(server)
    const unused = new UnusedSockets(server)
    await listenOn(server, { port, host }, (error) =>
      this.#parts.logger.error({ err: error }, 'A connection was not accepted'),
    )
    this.#servers.push({ server, unused })
    return addressOf(server)
  }

  /** Tells all clients to come back later, waits until they are gone, closes own servers and the store. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    removeCurrentChannel(this)
    await this.#parts.transactions.close()
    this.#parts.endpoints.drain()
    if (this.#parts.limits.drainMs > 0) await passed(this.#parts.limits.drainMs)
    // It listens on until its clients are gone: one that polls asks once more, on a connection of its own.
    this.#parts.endpoints.close()
    this.#parts.workers?.closing()
    await this.#parts.roster.close(
      new ChannelError('server_shutdown', 'The server is going down; connect again.'),
      this.#parts.limits.closeSpreadMs,
    )
    await this.#parts.endpoints.emptied(Math.min(LAST_POLLS_MS, this.#parts.limits.closeTimeoutMs))
    const stopped = this.#servers.map(({ server, unused }) => {
      const closed = new Promise((resolve) => server.close(resolve))
      unused.destroyAll()
      return closed
    })
    this.#parts.nodes?.close()
    // A peer that says nothing, or never ends its request, would keep its server open: Node's own timeouts end with `close`.
    const timer = systemClock.after(this.#parts.limits.closeTimeoutMs, () => {
      for (const { server } of this.#servers) server.closeAllConnections()
    })
    await Promise.all(stopped)
    timer.stop()
    await this.#parts.workers?.close()
    await this.#parts.cluster.close()
    await this.#parts.channel.close()
    for (const detach of this.#detachers.splice(0)) detach()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
