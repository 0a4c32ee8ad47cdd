import { parsePosition } from '@serverchannel/protocol'
import { createEnvironment, type Environment } from './environment.ts'
import type { WebSocketConstructor } from './socket.ts'

/** Everything {@link connect} can be told. All of it may be left out. */
export interface ConnectOptions {
  /**
   * Proves who the page's user is. A function is asked anew for each attempt to connect, so a token may be short-lived.
   * Sent as `access_token` in the url's query, because browsers can't set headers on a WebSocket. Default: none, cookies do.
   */
  readonly accessToken?: string | (() => string | Promise<string>) | undefined
  /** Where to go on from: a {@link Channel.position} that was kept. Default: from now on. */
  readonly position?: string | undefined
  /** For surroundings without a global `WebSocket`, such as Node 20: the class of the `ws` package. */
  readonly WebSocket?: WebSocketConstructor | undefined
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
  /** Time, chance and wake-ups, for tests. Default: the page's own. */
  readonly environment?: Partial<Environment> | undefined
}

/** The options, checked and complete. */
export interface Settings {
  readonly accessToken: string | (() => string | Promise<string>) | undefined
  readonly position: string | undefined
  readonly WebSocket: WebSocketConstructor
  readonly reconnectDelayMs: number
  readonly reconnectDelayMsMax: number
  readonly serverTimeoutMs: number
  readonly keepAliveIntervalMs: number
  readonly handshakeTimeoutMs: number
  readonly environment: Environment
}

/** @throws TypeError where an option is none. */
export function createSettings(options: ConnectOptions): Settings {
  const { position, WebSocket = globalThis.WebSocket } = options
  if (typeof WebSocket !== 'function') {
    throw new TypeError('There is no global WebSocket here. Pass one as `options.WebSocket`, such as that of "ws".')
  }
  if (position && !parsePosition(position)) {
    throw new TypeError(`'${position}' is not a position. One looks like 'epoch:42'; see channel.position.`)
  }
  return {
    accessToken: options.accessToken,
    position: position || undefined,
    WebSocket,
    reconnectDelayMs: milliseconds(options, 'reconnectDelayMs', 300),
    reconnectDelayMsMax: milliseconds(options, 'reconnectDelayMsMax', 30_000),
    serverTimeoutMs: milliseconds(options, 'serverTimeoutMs', 30_000),
    keepAliveIntervalMs: milliseconds(options, 'keepAliveIntervalMs', 15_000),
    handshakeTimeoutMs: milliseconds(options, 'handshakeTimeoutMs', 15_000),
    environment: createEnvironment(options.environment),
  }
}

type Duration = Extract<keyof ConnectOptions, `${string}Ms` | `${string}MsMax`>

function milliseconds(options: ConnectOptions, name: Duration, preset: number): number {
  const value = options[name] ?? preset
  if (!(value > 0 && value < Infinity)) throw new TypeError(`${name} needs to be a number above 0; it is ${value}.`)
  return value
}
