import { parsePosition } from '@serverchannel/protocol'
import { type ClientCodec, json } from './codec.ts'
import type { Development } from './development.ts'
import { createEnvironment, type Environment } from './environment.ts'
import type { TransportName, WebSocketConstructor } from './transports/transport.ts'

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

/** Milliseconds, each a number above 0. */
const durations = {
  reconnectDelayMs: 300,
  reconnectDelayMsMax: 30_000,
  serverTimeoutMs: 30_000,
  keepAliveIntervalMs: 15_000,
  handshakeTimeoutMs: 15_000,
}

/** How to connect, checked and complete. */
export interface Settings extends Readonly<Record<keyof typeof durations, number>> {
  readonly accessToken: string | (() => string | Promise<string>) | undefined
  readonly codec: ClientCodec
  readonly position: string | undefined
  readonly WebSocket: WebSocketConstructor | undefined
  readonly fetch: typeof fetch | undefined
  readonly environment: Environment
}

/** @throws TypeError where an option is none. */
export function createSettings(options: ConnectOptions): Settings {
  const { position, codec = json, accessToken, WebSocket = globalThis.WebSocket } = options
  if (position && !parsePosition(position)) {
    throw new TypeError(`'${position}' is not a position such as 'epoch:42'.`)
  }
  return {
    ...durationsOf(options),
    accessToken,
    position,
    codec,
    WebSocket,
    fetch: options.fetch,
    environment: createEnvironment(options.environment),
  }
}

function durationsOf(options: ConnectOptions): typeof durations {
  const found = { ...durations }
  for (const name of Object.keys(durations) as Array<keyof typeof durations>) {
    const value = options[name] ?? durations[name]
    if (!(value > 0 && value < Infinity)) throw new TypeError(`${name} needs to be a number above 0; it is ${value}.`)
    found[name] = value
  }
  return found
}
