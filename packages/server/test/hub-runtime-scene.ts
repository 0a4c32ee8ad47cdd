import type { HubContract } from '@serverchannel/protocol'
import { type Codec, jsonCodec } from '@serverchannel/protocol'
import type { ChannelError } from '../src/channel/channel-error.ts'
import type { Clock } from '../src/channel/clock.ts'
import type { Transport } from '../src/channel/transport.ts'
import { HubConnection } from '../src/hub/hub-connection.ts'
import type { HubDefinition } from '../src/hub/hub-definition.ts'
import type { HubRequest } from '../src/hub/hub-peer.ts'
import { HubRuntime } from '../src/hub/hub-runtime.ts'
import { TurnWriter } from '../src/hub/turn-writer.ts'
import { type Identity, type Limits, resolveLimits } from '../src/options.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeTransport } from './fake-transport.ts'

const HANDSHAKE = '{"protocol":"json","version":1}\x1e'
const REQUEST: HubRequest = { transport: 'WebSockets', url: '/msg', headers: {}, remoteAddress: '127.0.0.1' }

export interface RuntimeOptions {
  readonly limits?: Partial<Limits>
}

/** A client of a hub, over a fake transport. */
export interface RuntimeClient {
  readonly connection: HubConnection
  readonly transport: FakeTransport
  /** Why the connection ended, each time that was said; undefined: the client left. */
  readonly ends: (ChannelError | undefined)[]
  /** What the client got since it shook hands, as JSON text. */
  readonly records: readonly string[]
  /** Says hub messages, all in one piece, and lets all that is under way settle. */
  say(...messages: readonly unknown[]): Promise<void>
  /** Calls a method, and gives what was said meanwhile. */
  call(target: string, ...args: readonly unknown[]): Promise<readonly string[]>
}

export interface RuntimeScene<Contract extends HubContract> {
  readonly runtime: HubRuntime<Contract>
  readonly clock: FakeClock
  /** What the runtime reported, with where it happened. */
  readonly errors: { readonly error: unknown; readonly where: string }[]
  /** Connects and shakes hands; what the hub does then is under way when this returns. */
  connect(id: string, identity?: Identity, request?: Partial<HubRequest>): RuntimeClient
}

/** Turns the loop until nothing is left to do; streams take more steps than `clock.settle` waits for. */
export async function settle(clock: FakeClock): Promise<void> {
  do await new Promise(setImmediate)
  while (clock.turn())
}

/** A hub over fakes. Bounds that the test doesn't give are the defaults. */
export function openRuntime<Contract extends HubContract>(
  definition: HubDefinition<Contract>,
  { limits: given = {} }: RuntimeOptions = {},
): RuntimeScene<Contract> {
  const limits = resolveLimits(given)
  const clock = new FakeClock()
  const errors: { error: unknown; where: string }[] = []
  const onError = (error: unknown, where: string): void => {
    errors.push({ error, where })
  }
  const runtime = new HubRuntime(definition, { clock, limits, onError })
  return {
    runtime,
    clock,
    errors,
    connect(id, identity = {}, request = {}) {
      const transport = new FakeTransport()
      const ends: (ChannelError | undefined)[] = []
      const connection = serve(
        { runtime, transport, clock, limits, id, identity, request: { ...REQUEST, ...request } },
        ends,
      )
      connection.start()
      transport.send(HANDSHAKE)
      let calls = 0
      const client: RuntimeClient = {
        connection,
        transport,
        ends,
        get records() {
          return transport.records.slice(1)
        },
        async say(...messages) {
          transport.send(messages.map((message) => `${JSON.stringify(message)}\x1e`).join(''))
          await settle(clock)
        },
        async call(target, ...args) {
          const { length } = client.records
          await client.say({ type: 1, invocationId: `call-${++calls}`, target, arguments: args })
          return client.records.slice(length)
        },
      }
      return client
    },
  }
}

export interface ServeOptions<Contract extends HubContract> {
  readonly runtime: HubRuntime<Contract>
  readonly transport: Transport
  readonly clock: Clock
  readonly limits: Limits
  readonly id: string
  readonly identity: Identity
  readonly request: HubRequest
  readonly codecs?: readonly Codec[]
}

/** A connection whose hub is the runtime. */
export function serve<Contract extends HubContract>(
  { runtime, clock, limits, codecs = [jsonCodec], ...rest }: ServeOptions<Contract>,
  ends: (ChannelError | undefined)[] = [],
): HubConnection {
  return new HubConnection(
    { ...rest, position: undefined, isStateful: false, onEnd: (_, error) => ends.push(error), onGone: () => {} },
    { hub: runtime, codecs, limits, clock, turnWriter: new TurnWriter(clock), detailedErrors: false },
  )
}
