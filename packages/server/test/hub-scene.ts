import { jsonCodec, parsePosition } from '@serverchannel/protocol'
import type { Channel } from '../src/channel/channel.ts'
import type { ChannelError } from '../src/channel/channel-error.ts'
import type { Clock } from '../src/channel/clock.ts'
import { ChannelHub } from '../src/hub/channel-hub.ts'
import type { ClientMessages } from '../src/hub/client-messages.ts'
import type { Hub } from '../src/hub/hub.ts'
import { HubConnection } from '../src/hub/hub-connection.ts'
import type { HubRequest } from '../src/hub/hub-peer.ts'
import { TurnWriter } from '../src/hub/turn-writer.ts'
import { type Identity, type Limits, resolveLimits } from '../src/options.ts'
import { type ChannelCallsInit, createChannelCalls } from './channel-calls.ts'
import { openScene } from './channel-scene.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeStore } from './fake-store.ts'
import { FakeTransport } from './fake-transport.ts'

export const HANDSHAKE = '{"protocol":"json","version":1}\x1e'
export const PING = '{"type":6}\x1e'

export interface HubClientOptions {
  readonly identity?: Identity
  /** As in the query: `epoch:offset`, or empty; left out, the client keeps none. */
  readonly position?: string
  /** Whether it shakes hands at once. Default true. */
  readonly shakesHands?: boolean
  /** Another hub than the channel's. */
  readonly hub?: Hub
  /** Whether stateful reconnect was negotiated. */
  readonly isStateful?: boolean
}

/** A client of the hub, over a fake transport. */
export interface HubClient {
  readonly hub: HubConnection
  readonly transport: FakeTransport
  /** Why the connection ended, each time that was said; undefined: the client left. */
  readonly ends: (ChannelError | undefined)[]
  /** How often it was said that the connection is gone. */
  goneCount: number
}

export interface HubScene {
  readonly channel: Channel
  readonly clock: FakeClock
  readonly store: FakeStore
  /** What its clients send. */
  readonly messages: ClientMessages
  connect(id: string, options?: HubClientOptions): HubClient
  post(body: unknown): Promise<unknown>
}

/** What a process that begins anew finds there. */
export interface HubWorld {
  readonly store: FakeStore
  readonly clock: FakeClock
  /** The channel's own, where it is to be another. */
  readonly channelClock?: Clock
}

const REQUEST: HubRequest = { transport: 'WebSockets', url: '/msg', headers: {}, remoteAddress: undefined }

/** The channel's hub over fakes. Bounds that the test doesn't give are the defaults; clients may send to nobody. */
export async function openHub(
  given: Partial<Limits> = {},
  application: Pick<ChannelCallsInit, 'policy' | 'onError'> = {},
  { store, clock, channelClock }: HubWorld = { store: new FakeStore(), clock: new FakeClock() },
): Promise<HubScene> {
  const limits = resolveLimits(given)
  const { channel, post } = await openScene(limits, store, clock, channelClock)
  const { methods, messages } = createChannelCalls({ channel, limits, clock, ...application })
  const channelHub = new ChannelHub(channel, methods)
  return {
    channel,
    clock,
    store,
    messages,
    post: (body) => post(body),
    connect(id, { identity = {}, position, shakesHands = true, hub = channelHub, isStateful = false } = {}) {
      const transport = new FakeTransport()
      const client = {
        transport,
        ends: [] as (ChannelError | undefined)[],
        goneCount: 0,
        hub: new HubConnection(
          {
            id,
            identity,
            position: position === undefined ? undefined : (parsePosition(position) ?? null),
            transport,
            isStateful,
            request: REQUEST,
            onEnd: (_, error) => client.ends.push(error),
            onGone: () => {
              client.goneCount++
            },
          },
          { hub, codecs: [jsonCodec], limits, clock, turnWriter: new TurnWriter(clock), detailedErrors: false },
        ),
      }
      client.hub.start()
      if (shakesHands) transport.send(HANDSHAKE)
      return client
    },
  }
}
