import type { IncomingMessage } from 'node:http'
import type { MessageContract } from '@serverchannel/protocol'
import type { Logger } from 'pino'
import type { ClientMessagePolicy } from './channel/client-message.ts'
import type { Store } from './channel/store.ts'
import { hubLimits } from './hub-limits.ts'

const generalLimits = {
  receivedMessageBytesMax: {
    default: 32_768,
    min: 256,
    max: 16_777_216,
    unit: 'bytes',
    doc: 'one hub message from a client',
  },
  receivedFrameBytesMax: {
    default: 131_072,
    min: 1024,
    max: 33_554_432,
    unit: 'bytes',
    doc: 'one WebSocket message from a client, which may hold several hub messages',
  },
  receivedFragmentsMax: {
    default: 64,
    min: 1,
    max: 16_384,
    unit: 'fragments',
    doc: 'one WebSocket message from a client',
  },
  receivedMessagesPerTurn: {
    default: 100,
    min: 1,
    max: 10_000,
    unit: 'messages',
    doc: 'hub messages of one client taken in a turn of the loop; the rest waits',
  },
  handshakeBytesMax: {
    default: 4096,
    min: 256,
    max: 65_536,
    unit: 'bytes',
    doc: 'what a client may send before its handshake is whole',
  },
  postedBodyBytesMax: { default: 1_048_576, min: 16, max: 67_108_864, unit: 'bytes', doc: 'one posted body as JSON' },
  requestBytesMax: {
    default: 8_388_608,
    min: 1024,
    max: 268_435_456,
    unit: 'bytes',
    doc: 'one HTTP request that posts',
  },
  requestMessagesMax: { default: 10_000, min: 1, max: 1_000_000, unit: 'messages', doc: 'lines of one NDJSON request' },
  depthMax: {
    default: 64,
    min: 1,
    max: 500,
    unit: 'levels',
    doc: 'arrays and objects within each other, in what clients send and in posted bodies',
  },
  nameLengthMax: {
    default: 256,
    min: 16,
    max: 4096,
    unit: 'characters',
    doc: 'a sender, key, id, user, group or connection',
  },
  audienceIdsMax: {
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'ids',
    doc: 'what one message may be addressed to by name',
  },
  keepAliveIntervalMs: {
    default: 15_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: 'the server pings a connection to which nothing was sent for this long',
  },
  clientTimeoutMs: {
    default: 30_000,
    min: 200,
    max: 7_200_000,
    unit: 'ms',
    doc: 'a client that has pinged once and then is silent for this long is gone',
  },
  handshakeTimeoutMs: {
    default: 15_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'from the opening of the transport to the whole handshake',
  },
  disconnectTimeoutMs: {
    default: 15_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'a negotiated connection that nobody opened is forgotten, and one whose client does not come back',
  },
  statefulBufferBytes: {
    default: 100_000,
    min: 1024,
    max: 67_108_864,
    unit: 'bytes',
    doc: 'sent to a client that can resume and not acknowledged by it; the log waits while half of it is full',
  },
  pollTimeoutMs: {
    default: 90_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: 'a long poll for which nothing came is answered empty',
  },
  closeTimeoutMs: {
    default: 5_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'a WebSocket waits this long for the answer to its close',
  },
  drainMs: {
    default: 0,
    min: 0,
    max: 600_000,
    unit: 'ms',
    doc: 'when the server closes, `/readyz` says so for this long before clients are told to go: until proxies have seen it',
  },
  closeSpreadMs: {
    default: 2000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    doc: 'clients are told to go over this long, in no order, so that they do not all come to the next server at once; a few take less, a millisecond each',
  },
  stalledReaderMs: {
    default: 30_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: 'a client that takes nothing of what was written for this long is closed; it may come back',
  },
  nodeTimeoutMs: {
    default: 1000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'another node that accepts no connection, or does not say whose a client is, for this long is taken for dead',
  },
  relayedRequestsMax: {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    unit: 'requests',
    doc: 'under way to other nodes at a time, which have the clients; each open event stream and waiting poll is one',
  },
  authenticationTimeoutMs: { default: 10_000, min: 100, max: 600_000, unit: 'ms', doc: 'what `authenticate` may take' },
  clientMessagesPerSecond: {
    default: 20,
    min: 1,
    max: 1_000_000,
    unit: 'messages',
    doc: 'that one connection may send to the channel in a second; any more are answered with an error',
  },
  clientMessagesBurst: {
    default: 100,
    min: 1,
    max: 1_000_000,
    unit: 'messages',
    doc: 'that one connection may send to the channel at once, having sent none for a while',
  },
  clientPolicyTimeoutMs: {
    default: 5_000,
    min: 1,
    max: 600_000,
    unit: 'ms',
    doc: 'what `clientMessagePolicy` may take',
  },
  negotiatedMax: { default: 10_000, min: 1, max: 1_000_000, unit: 'connections', doc: 'negotiated and not opened yet' },
  connectionsMax: { default: 100_000, min: 1, max: 10_000_000, unit: 'connections', doc: 'of this process' },
  connectionsPerUserMax: { default: 1000, min: 1, max: 10_000_000, unit: 'connections', doc: 'of one user' },
  connectionsPerAddressMax: {
    default: 20_000,
    min: 1,
    max: 10_000_000,
    unit: 'connections',
    doc: 'from one network address; everybody behind one proxy has the same',
  },
  highWaterMarkBytes: {
    default: 262_144,
    min: 4096,
    max: 67_108_864,
    unit: 'bytes',
    doc: 'a connection that holds this much which its client has not taken gets nothing more until it has',
  },
  chunkBytesMax: {
    default: 65_536,
    min: 1024,
    max: 16_777_216,
    unit: 'bytes',
    doc: 'what is written to a connection in one piece, unless one message alone is larger',
  },
  sliceConnections: {
    default: 1000,
    min: 1,
    max: 1_000_000,
    unit: 'connections',
    doc: 'written to before other work of the process has its turn',
  },
  tailCountMax: { default: 10_000, min: 1, max: 10_000_000, unit: 'entries', doc: 'of the log held ready to send' },
  tailBytesMax: {
    default: 67_108_864,
    min: 4096,
    max: 68_719_476_736,
    unit: 'bytes',
    doc: 'of the log held ready to send',
  },
  workers: {
    default: 0,
    min: 0,
    max: 64,
    unit: 'processes',
    doc: 'besides this one, that serve the WebSockets of the channel on the same port; 0: this process serves them',
  },
  historyCountMax: {
    default: 10_000,
    min: 0,
    max: 1_000_000_000,
    unit: 'entries',
    doc: 'kept for those who come back',
  },
  historyBytesMax: {
    default: 67_108_864,
    min: 0,
    max: 1_099_511_627_776,
    unit: 'bytes',
    doc: 'kept for those who come back',
  },
  historyAgeMaxMs: {
    default: 86_400_000,
    min: 0,
    max: 31_622_400_000,
    unit: 'ms',
    doc: 'how long it is kept for those who come back',
  },
  historyReadMax: {
    default: 1000,
    min: 1,
    max: 100_000,
    unit: 'messages',
    doc: 'that one reading of the history gives; it gives about 1 MiB of them at most',
  },
  storeWaitingBytesMax: {
    default: 67_108_864,
    min: 1024,
    max: 68_719_476_736,
    unit: 'bytes',
    doc: 'of entries that were posted and that the store has not taken yet; any more posts fail',
  },
} as const

/**
 * Every bound and interval: its default, its ceiling and its unit, said once. Each is an option of
 * `createServerChannel`, a flag of `serverchannel serve` (`--handshake-timeout-ms`), an environment variable
 * (`SERVERCHANNEL_HANDSHAKE_TIMEOUT_MS`) and a key of its YAML file (`handshakeTimeoutMs`).
 */
export const limits: typeof generalLimits & typeof hubLimits = { ...generalLimits, ...hubLimits }

export type LimitName = keyof typeof limits
export type Limits = { readonly [Name in LimitName]: number }

/** Who a client is. */
export interface Identity {
  /** The user id that messages are addressed to. Left out: nobody in particular. */
  readonly user?: string
  /** Groups that every connection of it is in. */
  readonly groups?: readonly string[]
  /** Milliseconds since 1970 at which the identity ends; its connections are closed within a second. */
  readonly expiresAt?: number
}

/**
 * Tells who sends a request, from its cookies or headers. Null refuses it with 401; so does an error, which is logged.
 */
export type Authenticate = (request: IncomingMessage) => Identity | null | Promise<Identity | null>

/** Where a client negotiates instead. Source: SIGNALR 2.1 N5. */
export interface Redirect {
  /** Of the hub there, without `/negotiate`. */
  readonly url: string
  /** What the client shows there, as its bearer token. */
  readonly accessToken?: string
}

/** Sends a client to another server when it negotiates; undefined: it stays here. */
export type RedirectClient = (request: IncomingMessage, identity: Identity) => Redirect | undefined

/** How far below Node's streams sockets are written to. */
export type DirectWrites = 'auto' | 'handles' | 'off'

/** The processes that serve one application, and which of them this is. */
export interface NodesOptions {
  /** This process's name, which no other node has: letters, digits, `-` and `_`. */
  readonly self: string
  /** Shared by all nodes, and by nobody else: whoever has it can take over any connection. At least 32 characters. */
  readonly secret: string
  /**
   * Where the other nodes reach this one, past the proxy in front of them. It tells them through the store, and they tell
   * it: then `urls` is not needed.
   */
  readonly url?: string
  /** Where the nodes reach each other: each one's address by its name. */
  readonly urls?: Readonly<Record<string, string>>
}

/** What {@link createServerChannel} takes: all of it optional, and each bound of {@link limits} besides. */
export interface ServerChannelOptions<Contract extends MessageContract = MessageContract> extends Partial<Limits> {
  /** Where the log is kept: `memory:` (the default), `sqlite:FILE`, `postgres://…`, `redis://…`, `nats://…`, or a store of one's own. */
  readonly store?: string | Store
  /**
   * How safe an acknowledged message is, of a `sqlite:` store: `logged` (its default): it survives the process; `synced`:
   * it survives the machine. See `docs/stores.md`.
   */
  readonly durability?: 'logged' | 'synced'
  /**
   * Database whose transactions post, as `postgres://…` or `mysql://…`: what they post is brought from there into the log. Left out: a
   * `postgres://` store takes it by itself, others none. See `docs/transactions.md`.
   */
  readonly outbox?: string
  /** Path of the hub that clients connect to. Default `/msg`. */
  readonly path?: string
  /**
   * Path of the channel as plain WebSockets, one message as JSON in each frame, as Creatio's .NET Framework edition has it
   * at `/0/Nui/ViewModule.aspx.ashx`. Left out: there is none.
   */
  readonly rawPath?: string | undefined
  /**
   * Tells Creatio's clients where their channel is, at `/ServiceModel/ApplicationInfoService.svc/GetApplicationInfo`, and
   * below `/0` too where there is a `rawPath`. Default false.
   */
  readonly applicationInfo?: boolean | undefined
  /** Path of the web service that posts. Default `/api/messages`. */
  readonly apiPath?: string
  /** Who a client is. Left out: whoever comes from an allowed origin may connect, as nobody in particular. */
  readonly authenticate?: Authenticate
  /**
   * Whom a message is for that a client sends with the hub's `SendMessage`. Left out: nobody; what clients send is then
   * for the server only, where that listens with `onClientMessage`.
   */
  readonly clientMessagePolicy?: ClientMessagePolicy
  /** Sends clients of the channel to another server when they negotiate. A client follows up to 100 such answers. */
  readonly redirect?: RedirectClient
  /**
   * What is posted under which sender, made by `defineMessages`: a body that is not so is refused with `body_invalid`,
   * whoever posts it. Senders that it does not name may post anything. Default: none.
   */
  readonly messages?: Contract
  /** Keys that may post over HTTP, as `Authorization: Bearer KEY`; at least 16 characters each. None: nobody may. */
  readonly apiKeys?: readonly string[]
  /**
   * Origins whose pages may use the server besides its own: a list, as `https://app.example.com`, or a function that says
   * of an origin whether they may.
   */
  readonly allowedOrigins?: readonly string[] | ((origin: string) => boolean)
  /** Serves this machine only, lets callers name their user (`?user=`) and post without a key. Default false. */
  readonly development?: boolean
  /**
   * Other processes that serve the same, behind a proxy that may send each request to any of them. Left out: this is
   * the only one, or a client's requests all come to the same one.
   */
  readonly nodes?: NodesOptions
  /**
   * How frames go to sockets. `auto`: by `@serverchannel/native` where that is installed, all frames of a turn in one
   * call; else to the handles of sockets, below Node's streams, which costs a third; each only where a try at the start
   * shows that this Node does it right. `handles`: never by the first, `off`: by streams only. Default `auto`.
   */
  readonly directWrites?: DirectWrites
  /** Where it logs. Default: warnings and errors, as JSON lines on standard error. */
  readonly logger?: Logger
}

/** The bounds with what was given put over the defaults. @throws RangeError where a number is out of its range */
export function resolveLimits(given: Partial<Limits>): Limits {
  const resolved = Object.entries(limits).map(([name, limit]) => {
    const value = given[name as LimitName] ?? limit.default
    if (typeof value !== 'number' || !Number.isFinite(value) || value < limit.min || value > limit.max) {
      throw new RangeError(
        `'${name}' needs to be a number of ${limit.unit} from ${limit.min} to ${limit.max}; it is ${value}.`,
      )
    }
    return [name, value]
  })
  return Object.fromEntries(resolved) as Limits
}
