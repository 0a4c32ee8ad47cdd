import { defineMessages, type MessageContract, type NoContract } from '@serverchannel/protocol'
import { pino } from 'pino'
import { type AccessOptions } from './auth/access.ts'
import { NOBODY, nameYourself } from './auth/name-yourself.ts'
import { Channel } from './channel/channel.ts'
import { createContractCheck } from './channel/contract.ts'
import { toDraft } from './channel/intake.ts'
import { Cluster } from './cluster/cluster.ts'
import { Connections } from './cluster/connections.ts'
import { createRemoteClients } from './cluster/remote-hub.ts'
import { createConnectionId } from './connection-id.ts'
import { Endpoints } from './endpoints.ts'
import { ApplicationInfo } from './http/application-info.ts'
import { Routes } from './http/routes.ts'
import { createChannelMethods } from './hub/channel-methods.ts'
import { ClientMessages } from './hub/client-messages.ts'
import type { LocalClients } from './hub/remote-clients.ts'
import { Roster } from './hub/roster.ts'
import { createMessageId } from './message-id.ts'
import { parseApiKeys, parseDurability, parseNodes, parseOrigins, parsePath, parsePolicy } from './option-checks.ts'
import { resolveLimits, type ServerChannelOptions } from './options.ts'
import { Transactions } from './outbox/transactions.ts'
import { PostFailures } from './post-failures.ts'
import { ServerChannel } from './server-channel.ts'
import { openStore } from './stores/open-store.ts'
import { SharedLog } from './stores/shared-log.ts'
import { systemClock } from './system-clock.ts'
import { Nodes } from './transports/nodes.ts'
import { SocketWriter } from './transports/socket-writer.ts'
import { WorkerPool } from './workers/worker-pool.ts'

/**
 * Opens a channel: the log of its messages and the hub that pages connect to.
 *
 * @throws TypeError, RangeError where an option is not one; ChannelError `store_failed` where the store can't be opened
 * @example
 * const channel = await createServerChannel()
 * channel.attach(httpServer)
 * await channel.postMessageToAll('OrderChanged', { id: 42 })
 */
export async function createServerChannel<const Contract extends MessageContract = NoContract>(
  options: ServerChannelOptions<Contract> = {},
): Promise<ServerChannel<Contract>> {
  const limits = resolveLimits(options)
  const policy = parsePolicy(options.clientMessagePolicy)
  const logger = options.logger ?? pino({ level: 'warn', base: null }, pino.destination(2))
  const opened =
    typeof options.store === 'object'
      ? options.store
      : await openStore(options.store ?? 'memory:', {
          ...limits,
          durability: parseDurability(options.durability),
          now: () => systemClock.now(),
          onWarning: (reason) => logger.warn(reason),
        })
  const log = limits.workers > 0 ? new SharedLog(opened) : undefined
  const checkContract = options.messages && createContractCheck(defineMessages(options.messages))
  const channel = new Channel({
    store: log?.view() ?? opened,
    clock: systemClock,
    limits,
    createId: createMessageId,
    checkContract,
    onReservedSender: (sender) => logger.warn({ sender }, RESERVED_SENDER),
    onSignal: (text) => cluster.hear(text),
    onConnection: (id, user, isHere) => (isHere ? cluster.came(id, user) : cluster.left(id)),
  })
  const development = options.development ?? false
  const access: AccessOptions = { development, allowsOrigin: parseOrigins(options.allowedOrigins) }
  const roster = new Roster(limits, systemClock)
  const nodes = options.nodes && new Nodes({ ...parseNodes(options.nodes), limits, clock: systemClock, logger })
  const hubAt = (path: string): LocalClients | undefined => endpoints.hubAt(path)
  const cluster: Cluster = new Cluster({
    id: createConnectionId(),
    clock: systemClock,
    timeoutMs: limits.nodeTimeoutMs,
    signal: (text) => channel.signal(text),
    answer: (question) => connections.answer(question),
    hubAt,
    address: nodes?.address,
    onAddress: (address) => nodes?.learn(address),
    onGone: (name) => nodes?.forget(name),
    onError: (error) =>
      logger.warn({ err: error }, 'Other nodes were not told something, or said what is none of ours'),
  })
  const connections = new Connections({ channel, roster, cluster, hubAt, now: () => systemClock.now() })
  const directWrites = options.directWrites ?? 'auto'
  const socketWriter = new SocketWriter(directWrites)
  void socketWriter.way.then((way) => logger.info({ way }, 'How frames go to sockets'))
  const endpoints = new Endpoints({
    options,
    roster,
    access,
    authenticate: options.authenticate ?? (development ? nameYourself : () => NOBODY),
    requireAllowed: (user) => connections.requireAllowed(user),
    remoteClients: (path) => createRemoteClients(cluster, path),
    clock: systemClock,
    logger,
    createId: createConnectionId,
    socketWriter,
    nodes,
  })
  const path = options.path ?? '/msg'
  const { rawPath } = options
  const routes = new Routes({
    channel,
    applicationInfo: options.applicationInfo ? new ApplicationInfo({ access, hubPath: path, rawPath }) : undefined,
    endpoints,
    limits,
    access,
    logger,
    apiPath: parsePath('apiPath', options.apiPath ?? '/api/messages'),
    mayPost: parseApiKeys(options.apiKeys ?? [], development),
    degraded: () => (transactions.trouble === undefined ? undefined : { outbox: transactions.trouble }),
  })
  const shared = {
    limits,
    clock: systemClock,
    createId: createMessageId,
    onError: (err: unknown, where: string) => logger.error({ err, method: where }, "A client's message failed"),
  }
  const messages = new ClientMessages({ ...shared, channel, policy })
  const failures = new PostFailures(logger)
  const transactions = new Transactions({
    address: options.outbox,
    store: typeof options.store === 'string' ? options.store : undefined,
    append: (drafts) => channel.append(drafts),
    toDraft(post) {
      const draft = toDraft(post, limits, systemClock.now(), createMessageId)
      checkContract?.(draft)
      return draft
    },
    readPost: (post, postedAt) => toDraft(post, limits, postedAt, createMessageId),
    onUnobserved: (error, sender) => failures.unobserved(error, sender),
    onError: (err) => logger.error({ err }, 'What transactions posted waits: it could not be brought into the log'),
    onWarning: (reason) => logger.warn(reason),
  })
  const workers =
    log && new WorkerPool({ count: limits.workers, log, channel, limits, directWrites, clock: systemClock, logger })
  const channelMethods = createChannelMethods({ ...shared, channel, messages })
  const methods = endpoints.mapChannel(path, channel, channelMethods, workers)
  if (rawPath !== undefined) endpoints.mapRawChannel(rawPath, channel, channelMethods)
  await channel.open()
  cluster.open()
  try {
    await transactions.open()
    await workers?.start(methods)
  } catch (error) {
    await transactions.close()
    await cluster.close()
    await channel.close()
    throw error
  }
  return new ServerChannel({
    channel,
    transactions,
    failures,
    messages,
    endpoints,
    nodes,
    cluster,
    connections,
    workers,
    roster,
    routes,
    logger,
    development,
    limits,
  })
}

const RESERVED_SENDER =
  "A message was posted under a sender that Creatio's clients handle by themselves: pages that listen for it may not get it"
