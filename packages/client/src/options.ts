import { parsePosition } from '@serverchannel/protocol'
import type { createCalls } from './calls.ts'
import { type ClientCodec, json } from './codec.ts'
import type { Development } from './development.ts'
import { createEnvironment, type Environment } from './environment.ts'
import type { keepPosition } from './kept-position.ts'
import type { TransportKinds, TransportName } from './transports/transport.ts'
import type { WebSocketConstructor } from './transports/websocket.ts'

/** How to connect to a hub of any kind. All of it may be left out. */
export interface ConnectionOptions {
  /**
   * Proves who the page's user is. A function is asked anew for each attempt to connect, so a token may be short-lived.
   * On a WebSocket it is sent as `access_token` in the url's query, because browsers can't set headers there; else as
   * `Authorization: Bearer`. Default: none, cookies do.
   */
  readonly accessToken?: string | (() => string | Promise<string>) | undefined
  /** How messages are written: `messagePack` of `@serverchannel/client/messagepack`. Default: JSON. */
  readonly codec?: ClientCodec | undefined
  /**
   * What may carry the connection, in the order in which it is tried. Default: `websocket`, `server-sent-events`,
   * `long-polling`.
   */
  readonly transports?: readonly TransportName[] | undefined
  /** For surroundings without a global `WebSocket`, such as Node 20: the class of the `ws` package. */
  readonly WebSocket?: WebSocketConstructor | undefined
  /** For requests with headers of their own. Default `globalThis.fetch`. */
  readonly fetch?: typeof fetch | undefined
  /** Ceiling of the first wait before a new attempt, doubled with every failure. Milliseconds, default 300. */
  readonly reconnectDelayMs?: number | undefined
  /** Ceiling of every later wait; the wait itself is a random part of it. Milliseconds, default 30,000. */
  readonly reconnectDelayMsMax?: number | undefined
  /** A connection on which nothing came for so long is taken for lost. Milliseconds, default 30,000. */
  readonly serverTimeoutMs?: number | undefined
  /** How often the server is told that the page lives. Milliseconds, default 15,000. */
  readonly keepAliveIntervalMs?: number | undefined
  /** An attempt that has not become a connection by then is given up. Milliseconds, default 15,000. */
  readonly handshakeTimeoutMs?: number | undefined
  /** Time, chance, what is kept, and the page's signs of life, for tests. Default: the page's own. */
  readonly environment?: Partial<Environment> | undefined
}

/** Everything {@link connect} can be told. All of it may be left out. */
export interface ConnectOptions<Contract = unknown> extends ConnectionOptions {
  /**
   * What is posted under which sender, made by {@link defineMessages}. Handlers are typed by it; bodies are checked by it
   * only with `development`. Where nothing is checked, `connect<typeof messages>()` types them without loading it.
   */
  readonly messages?: Contract | undefined
  /** Where to go on from: a {@link Channel.position} that was kept. Default: what `keepPosition` says, else from now on. */
  readonly position?: string | undefined
  /**
   * Whether to go on over a reload from where the page was before it. `tab`: within the same tab. `user`: where any tab
   * of this browser was last, also when all were closed. Never where another user was. Default `tab`.
   */
  readonly keepPosition?: 'tab' | 'user' | false | undefined
  /**
   * What to get while nobody looks at the page. `all`: everything, at once. `latest`: at most once in `hiddenIntervalMs`,
   * and of each key only the newest. Default `all`.
   */
  readonly whenHidden?: 'all' | 'latest' | undefined
  /** With `whenHidden: 'latest'`, between what comes. Milliseconds, 1,000 to 600,000, default 10,000. */
  readonly hiddenIntervalMs?: number | undefined
  /** `development()` of `@serverchannel/client/development`: warns of handlers that leak, and checks bodies. Default: none. */
  readonly development?: Development | undefined
}

/** What an entry of the package is made of: what it leaves out costs nothing. */
export interface Parts {
  readonly transports: TransportKinds
  readonly createCalls?: typeof createCalls | undefined
  readonly keepPosition?: typeof keepPosition | undefined
}

/** How to connect, checked and complete. */
export interface Settings {
  readonly accessToken: string | (() => string | Promise<string>) | undefined
  readonly codec: ClientCodec
  readonly transports: TransportKinds
  readonly createCalls: typeof createCalls | undefined
  readonly WebSocket: WebSocketConstructor | undefined
  readonly fetch: typeof fetch
  readonly reconnectDelayMs: number
  readonly reconnectDelayMsMax: number
  readonly serverTimeoutMs: number
  readonly keepAliveIntervalMs: number
  readonly handshakeTimeoutMs: number
  /** Undefined: everything at once, hidden or not. */
  readonly hiddenIntervalMs: number | undefined
  readonly environment: Environment
}

/** @throws TypeError where an option is none. */
export function createSettings(options: ConnectOptions, parts: Parts): Settings {
  const { position, codec = json, WebSocket = globalThis.WebSocket, whenHidden } = options
  if (position && !parsePosition(position)) {
    throw new TypeError(`'${position}' is not a position. One looks like 'epoch:42'; see channel.position.`)
  }
  const hiddenIntervalMs = milliseconds(options, 'hiddenIntervalMs', 10_000)
  return {
    accessToken: options.accessToken,
    codec,
    transports: chooseTransports(options.transports, codec, WebSocket, parts.transports),
    createCalls: parts.createCalls,
    WebSocket,
    fetch: options.fetch ?? ((...request) => globalThis.fetch(...request)),
    reconnectDelayMs: milliseconds(options, 'reconnectDelayMs', 300),
    reconnectDelayMsMax: milliseconds(options, 'reconnectDelayMsMax', 30_000),
    serverTimeoutMs: milliseconds(options, 'serverTimeoutMs', 30_000),
    keepAliveIntervalMs: milliseconds(options, 'keepAliveIntervalMs', 15_000),
    handshakeTimeoutMs: milliseconds(options, 'handshakeTimeoutMs', 15_000),
    hiddenIntervalMs: whenHidden === 'latest' ? hiddenIntervalMs : undefined,
    environment: createEnvironment(options.environment),
  }
}

type Duration = Extract<keyof ConnectOptions, `${string}Ms` | `${string}MsMax`>

function milliseconds(options: ConnectOptions, name: Duration, preset: number): number {
  const value = options[name] ?? preset
  if (!(value > 0 && value < Infinity)) throw new TypeError(`${name} needs to be a number above 0; it is ${value}.`)
  return value
}

/** Those that were asked for and can carry the codec. */
function chooseTransports(
  names: readonly TransportName[] | undefined,
  codec: ClientCodec,
  WebSocket: WebSocketConstructor | undefined,
  kinds: TransportKinds,
): TransportKinds {
  const [first, ...others] = (names ?? kinds.map(({ name }) => name))
    .flatMap((name) => kinds.filter((kind) => kind.name === name))
    .filter(({ name, isTextOnly }) => !(isTextOnly && codec.isBinary) && (name !== 'websocket' || WebSocket))
  if (!first) {
    throw new TypeError(
      'No transport is left. Without a global WebSocket pass one as `options.WebSocket`, such as that of "ws".',
    )
  }
  return [first, ...others]
}
