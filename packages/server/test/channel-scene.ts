import { jsonCodec, parsePosition } from '@serverchannel/protocol'
import type { AudienceInput } from '../src/channel/audience.ts'
import { Channel, type ChannelLimits, type Receipt } from '../src/channel/channel.ts'
import type { Clock } from '../src/channel/clock.ts'
import type { Connection } from '../src/channel/connection.ts'
import type { Store } from '../src/channel/store.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeOutlet } from './fake-outlet.ts'
import { FakeStore } from './fake-store.ts'

export const CHANNEL_LIMITS: ChannelLimits = {
  historyReadMax: 1000,
  postedBodyBytesMax: 1_048_576,
  depthMax: 64,
  nameLengthMax: 256,
  audienceIdsMax: 10_000,
  tailCountMax: 10_000,
  tailBytesMax: 67_108_864,
  highWaterMarkBytes: 512,
  chunkBytesMax: 65_536,
  sliceConnections: 1000,
}

export interface ClientOptions {
  readonly user?: string
  readonly groups?: readonly string[]
  /** As in the query: `epoch:offset`, empty for a client that has none yet; left out, it keeps none. */
  readonly position?: string
}

/** A connection with what its client got. */
export interface Client {
  readonly connection: Connection
  readonly outlet: FakeOutlet
  /** The client takes nothing more. */
  block(): void
  /** The client takes all, and goes on taking. */
  drain(): void
  leave(): void
}

/** A channel over fakes. */
export interface Scene<LogStore extends Store> {
  readonly channel: Channel
  readonly clock: FakeClock
  readonly store: LogStore
  connect(id: string, options?: ClientOptions): Client
  post(body: unknown, to?: AudienceInput): Promise<Receipt>
}

export async function openScene(limits?: Partial<ChannelLimits>): Promise<Scene<FakeStore>>
export async function openScene<LogStore extends Store>(
  limits: Partial<ChannelLimits>,
  store: LogStore,
  clock: FakeClock,
  channelClock?: Clock,
): Promise<Scene<LogStore>>
export async function openScene(
  limits: Partial<ChannelLimits> = {},
  store: Store = new FakeStore(),
  clock: FakeClock = new FakeClock(),
  channelClock: Clock = clock,
): Promise<Scene<Store>> {
  let ids = 0
  const channel = new Channel({
    store,
    clock: channelClock,
    limits: { ...CHANNEL_LIMITS, ...limits },
    createId: () => `id-${++ids}`,
  })
  await channel.open()
  return {
    channel,
    clock,
    store,
    connect: (id, options = {}) => connect(channel, id, options),
    async post(body, to) {
      const [receipt] = await channel.post([{ sender: 'Test', body, ...(to === undefined ? {} : { to }) }])
      if (!receipt) throw new Error('There is no receipt')
      return receipt
    },
  }
}

function connect(channel: Channel, id: string, { user, groups = [], position }: ClientOptions): Client {
  const outlet = new FakeOutlet()
  const connection = channel.connect({
    id,
    user,
    groups,
    codec: jsonCodec,
    outlet,
    position: position === undefined ? undefined : (parsePosition(position) ?? null),
  })
  const leave = (): void => channel.disconnect(connection)
  outlet.onClose = leave
  return {
    connection,
    outlet,
    block: () => {
      outlet.isTaking = false
    },
    drain: () => {
      outlet.isTaking = true
      outlet.outstandingBytes = 0
      connection.drained()
    },
    leave,
  }
}

/** Whole numbers from the first to the last. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
}
