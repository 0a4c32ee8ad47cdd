// Which transport carries the connection, on networks that let some of them not pass: with virtual time.
import { beforeEach, describe, expect, it } from 'vitest'
import type { Channel } from '../src/index.ts'
import type { ConnectOptions } from '../src/options.ts'
import { settle } from './fake-clock.ts'
import { FakeHttpHub } from './fake-http-hub.ts'
import { World, watch } from './harness.ts'
import { MemoryStorage } from './memory-storage.ts'
import { channelState, foreignMessage, serverMessage } from './wire.ts'

const AVOIDED_MS = 300_000
const SPREAD_MS = 60_000
const KEY = 'serverchannel http://host.test/msg transport'

let world: World
let hub: FakeHttpHub
let kept: MemoryStorage

beforeEach(() => {
  world = new World()
  hub = new FakeHttpHub()
  kept = new MemoryStorage()
  world.kept.set('browser', kept)
})

/** Streams and requests take some turns of the loop, and no time. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settle()
}

async function connect(options: ConnectOptions = {}): Promise<Channel> {
  const channel = await world.connecting({ transports: undefined, fetch: hub.fetch, ...options })
  await turns()
  return channel
}

/** Over event streams, since the WebSocket was refused. */
async function connectOverEvents(options: ConnectOptions = {}): Promise<Channel> {
  const channel = await connect(options)
  world.network.socket.drop()
  await turns()
  expect(hub.opened).toEqual(['events'])
  return channel
}

const sockets = (): number => world.network.sockets.length

describe('the first that passes', () => {
  it('is a WebSocket, without a negotiation', async () => {
    const channel = await connect()
    world.network.socket.shakeHands(channelState('e', 0))
    expect(channel.state).toBe('open')
    expect(hub.negotiations).toEqual([])
    expect(kept.length).toBe(0)
  })

  it('is an event stream where WebSockets are refused, at once', async () => {
    const channel = await connectOverEvents()
    expect(channel.state).toBe('open')
    expect(world.clock.now()).toBe(0)
  })

  it('is an event stream where a WebSocket hangs, once the time for a handshake is over', async () => {
    const channel = await connect()
    await world.clock.pass(14_999)
    expect(hub.negotiations).toEqual([])
    await world.clock.pass(1)
    await turns()
    expect(channel.state).toBe('open')
    expect(hub.opened).toEqual(['events'])
    expect(world.network.socket.isLive).toBe(false)
  })

  it('is an event stream where a WebSocket opens and then brings nothing', async () => {
    const channel = await connect()
    world.network.socket.accept()
    await world.clock.pass(15_000)
    await turns()
    expect(channel.state).toBe('open')
    expect(hub.opened).toEqual(['events'])
  })

  it('is long polling where event streams are blocked too', async () => {
    hub.blocked.add('events')
    const got: unknown[] = []
    const channel = await connect()
    channel.onMessage(({ Body }) => got.push(Body))
    world.network.socket.drop()
    await turns()
    expect(channel.state).toBe('open')
    hub.send(serverMessage('A', 1, 'e:1'))
    await turns()
    expect(got).toEqual([1])
    expect(hub.opened).toEqual(['polls'])
    await channel.close()
  })

  it('is long polling where a server offers nothing else', async () => {
    hub.offers = ['LongPolling']
    const channel = await connect()
    world.network.socket.drop()
    await turns()
    expect(channel.state).toBe('open')
    expect(hub.opened).toEqual(['polls'])
    await channel.close()
  })

  it('is looked for from the beginning where nobody can be had at all', async () => {
    hub.blocked.add('all')
    const channel = await connect()
    const told = watch(channel)
    world.network.socket.drop()
    await turns()
    expect(told).toEqual(['connection_failed', 'connection_failed'])
    await world.untilNextSocket()
    world.network.socket.shakeHands(channelState('e', 0))
    expect(channel.state).toBe('open')
  })

  it('is given up only when it failed three times in a row: a server that restarts is no bad network', async () => {
    await connect()
    world.network.socket.shakeHands(channelState('e', 0))
    world.network.socket.drop()
    for (let failures = 1; failures <= 3; failures++) {
      await world.untilNextSocket()
      expect(hub.negotiations).toEqual([])
      world.network.socket.drop()
    }
    await turns()
    expect(hub.opened).toEqual(['events'])
  })
})

describe('the choice', () => {
  it('is remembered for five minutes, for other pages too', async () => {
    await connectOverEvents()
    expect(kept.getItem(KEY)).toBe(`server-sent-events ${AVOIDED_MS}`)
    await world.clock.pass(AVOIDED_MS - 1)
    const other = await connect()
    expect(other.state).toBe('open')
    expect(sockets()).toBe(1)
    await world.clock.pass(1)
    await connect()
    expect(sockets()).toBe(2)
  })

  it.each([
    ['nonsense'],
    ['websocket 1000'],
    ['carrier-pigeon 1000'],
    [`server-sent-events ${AVOIDED_MS + 1}`],
    ['server-sent-events -1'],
    ['server-sent-events'],
  ])('that was kept as %j is none', async (value) => {
    kept.setItem(KEY, value)
    await connect()
    expect(sockets()).toBe(1)
  })

  it('is made without a memory where the storage is full', async () => {
    kept.failure = new Error('QuotaExceededError')
    const channel = await connectOverEvents()
    expect(channel.state).toBe('open')
  })

  it('is made anew when the network is another one', async () => {
    const channel = await connectOverEvents()
    hub.drop()
    await turns()
    world.sign('online')
    await turns()
    expect(sockets()).toBe(2)
    world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    expect(channel.state).toBe('open')
    expect(kept.getItem(KEY)).toBeNull()
  })
})

describe('a connection over another transport', () => {
  /** Until the WebSocket is tried again. */
  async function untilTried(): Promise<void> {
    const before = sockets()
    await world.clock.pass(AVOIDED_MS)
    await keepHearing(SPREAD_MS)
    expect(sockets()).toBe(before + 1)
  }

  /** A server that is heard, so that only what is tried here ends the connection. */
  async function keepHearing(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10_000) {
      hub.send('{"type":6}\u001e')
      await turns()
      await world.clock.pass(10_000)
    }
  }

  const settings = { serverTimeoutMs: 10 * AVOIDED_MS }

  /** The server refuses what asks for no protocol, and so shows that it is there. */
  async function answer(): Promise<void> {
    const { socket } = world.network
    socket.accept()
    expect(socket.sent).toEqual(['{}\u001e'])
    expect(socket.position).toBeNull()
    socket.receive('{"error":"The protocol is missing."}\u001e')
    socket.drop(1000)
    await turns()
  }

  it('goes on over a WebSocket as soon as one passes again, with each message once and in order', async () => {
    const channel = await connectOverEvents(settings)
    const got: unknown[] = []
    channel.onMessage(({ Body }) => got.push(Body))
    const told = watch(channel)
    hub.send(serverMessage('A', 1, 'e:1'))
    await turns()
    await untilTried()
    expect(told).toEqual([])
    hub.send(serverMessage('A', 2, 'e:2'))
    await turns()
    expect(got).toEqual([1, 2])
    await answer()
    expect(told).toEqual(['open → reconnecting'])
    expect(hub.isOpen).toBe(false)
    expect(sockets()).toBe(3)
    const { socket } = world.network
    expect(socket.position).toBe('e:2')
    socket.shakeHands(serverMessage('A', 3, 'e:3') + channelState('e', 3, { recovered: true }))
    socket.receive(serverMessage('A', 4, 'e:4'))
    expect(got).toEqual([1, 2, 3, 4])
    expect(told).toEqual(['open → reconnecting', 'reconnecting → open'])
    expect(kept.getItem(KEY)).toBeNull()
    await world.clock.pass(2 * AVOIDED_MS)
    expect(sockets()).toBe(3)
  })

  it('goes back to what passes where the WebSocket is blocked again by then', async () => {
    const channel = await connectOverEvents(settings)
    await untilTried()
    await answer()
    world.network.socket.drop()
    await turns()
    expect(hub.opened).toEqual(['events', 'events'])
    expect(hub.position).toBe('e:0')
    expect(channel.state).toBe('open')
    expect(kept.getItem(KEY)?.startsWith('server-sent-events ')).toBe(true)
  })

  it('stays as it is while none passes, and tries again every five minutes', async () => {
    const channel = await connectOverEvents(settings)
    const told = watch(channel)
    for (let tries = 1; tries <= 3; tries++) {
      await untilTried()
      expect(kept.getItem(KEY)?.startsWith('server-sent-events ')).toBe(true)
      // A proxy may let it be opened, and nothing through.
      if (tries === 2) world.network.socket.accept()
      world.network.socket.drop()
    }
    expect(told).toEqual([])
    expect(hub.opened).toEqual(['events'])
    // A later page need not find it out again.
    await connect()
    expect(sockets()).toBe(4)
  })

  it('stays while a call is under way, since nobody would know what became of it', async () => {
    const channel = await connectOverEvents(settings)
    const told = watch(channel)
    await untilTried()
    const call = channel.invoke('Ping')
    await settle()
    await answer()
    expect(told).toEqual([])
    hub.send('{"type":3,"invocationId":"1","result":"Pong!"}\u001e')
    await turns()
    expect(await call).toBe('Pong!')
    await untilTried()
    await answer()
    expect(told).toEqual(['open → reconnecting'])
  })

  it('stays where the server has no positions to go on from', async () => {
    hub.greeting = foreignMessage('A', 1)
    const channel = await connectOverEvents(settings)
    expect(channel.state).toBe('open')
    await world.clock.pass(2 * AVOIDED_MS)
    expect(sockets()).toBe(1)
  })

  it('asks for a token for that, and does without where there is none', async () => {
    let tokens = 0
    const accessToken = (): string => {
      if (++tokens === 3) throw new Error('No session')
      return `token-${tokens}`
    }
    const channel = await connectOverEvents({ ...settings, accessToken })
    expect(tokens).toBe(2)
    await world.clock.pass(AVOIDED_MS + SPREAD_MS)
    expect([tokens, sockets(), channel.state]).toEqual([3, 1, 'open'])
    await untilTried()
    expect(world.network.socket.url.searchParams.get('access_token')).toBe('token-4')
  })

  it.each<[string, (channel: Channel) => unknown]>([
    ['closed', (channel) => channel.close()],
    ['put away', () => world.sign('frozen')],
  ])('that is %s while it tries leaves nothing behind', async (_, end) => {
    const channel = await connectOverEvents(settings)
    await untilTried()
    end(channel)
    await turns()
    expect(world.network.socket.isLive).toBe(false)
    world.network.socket.shakeHands(channelState('e', 0))
    expect(channel.state).not.toBe('open')
    await world.clock.pass(5_000)
    expect(world.clock.pending).toBe(0)
  })

  it('is not the smaller for it: what the WebSocket loses later comes as ever', async () => {
    const channel = await connectOverEvents(settings)
    await untilTried()
    await answer()
    world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.shakeHands(serverMessage('A', 1, 'e:1') + channelState('e', 1, { recovered: true }))
    expect([channel.state, channel.position]).toEqual(['open', 'e:1'])
  })
})

describe('a negotiation that leads elsewhere', () => {
  it('is followed, with its token and the query', async () => {
    hub.answers.push({ url: 'http://other.test/hub?asrs=1', accessToken: 'theirs' })
    const channel = await world.connecting({
      transports: ['server-sent-events'],
      fetch: hub.fetch,
      accessToken: 'ours',
      position: 'e:0',
    })
    await turns()
    expect(channel.state).toBe('open')
    expect(hub.negotiations.map(({ url, authorization }) => [url.origin + url.pathname, authorization])).toEqual([
      ['http://host.test/msg/negotiate', 'Bearer ours'],
      ['http://other.test/hub/negotiate', 'Bearer theirs'],
    ])
    const { searchParams } = hub.negotiations[1]?.url ?? new URL('http://none.test')
    expect([searchParams.get('asrs'), searchParams.get('position')]).toEqual(['1', 'e:0'])
    expect(hub.position).toBe('e:0')
  })

  it('is followed ten times at most', async () => {
    for (let n = 0; n < 100; n++) hub.answers.push({ url: `http://other.test/hub${n}` })
    const channel = await world.connecting({ transports: ['server-sent-events'], fetch: hub.fetch })
    const told: string[] = []
    channel.onError(({ message }) => told.push(message))
    for (let n = 0; n < 5; n++) await turns()
    expect(hub.negotiations).toHaveLength(10)
    expect(told).toEqual([expect.stringContaining('too many redirects')])
  })

  it('and says no is no fault of the transport', async () => {
    hub.answers.push({ error: 'Not today' })
    const channel = await connect()
    const told: string[] = []
    channel.onError(({ message }) => told.push(message))
    world.network.socket.drop()
    await turns()
    expect(told.at(-1)).toContain('Not today')
    await world.untilNextSocket()
    expect(hub.opened).toEqual([])
  })
})
