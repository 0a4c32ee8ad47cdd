import { beforeEach, describe, expect, it } from 'vitest'
import type { Channel, Gap } from '../src/index.ts'
import { FakeServer } from './fake-server.ts'
import { World } from './harness.ts'
import { seededRandom } from './seeded-random.ts'
import { channelState, foreignMessage, serverMessage } from './wire.ts'

const CUTS = 20
const SEEDS = Array.from({ length: 25 }, (_, n) => 7919 * (n + 1))

let world: World

beforeEach(() => {
  world = new World()
})

function bodiesOf(channel: Channel): unknown[] {
  const bodies: unknown[] = []
  channel.onMessage(({ Body }) => bodies.push(Body))
  return bodies
}

function gapsOf(channel: Channel): Gap[] {
  const gaps: Gap[] = []
  channel.onGap((gap) => gaps.push(gap))
  return gaps
}

/** The next socket answers at once, with this. */
async function reconnect(answer: string): Promise<void> {
  world.network.socket.drop()
  await world.untilNextSocket()
  world.network.socket.shakeHands(answer)
}

describe('the position', () => {
  it('is unknown at first, then what the server states, then that of the newest message', async () => {
    const channel = await world.connecting()
    expect(channel.position).toBeUndefined()
    world.network.socket.shakeHands(channelState('e', 3))
    expect(channel.position).toBe('e:3')
    world.network.socket.receive(serverMessage('A', 1, 'e:5'))
    expect(channel.position).toBe('e:5')
  })

  it('is asked for empty at first, and then the last one', async () => {
    await world.opened()
    world.network.socket.receive(serverMessage('A', 1, 'e:4'))
    await reconnect(channelState('e', 9, { recovered: true }))
    world.network.socket.drop()
    await world.untilNextSocket()
    expect(world.network.sockets.map(({ position }) => position)).toEqual(['', 'e:4', 'e:9'])
  })

  it('of an earlier channel is where another goes on from', async () => {
    const channel = await world.connecting({ position: 'e:41' })
    expect(channel.position).toBe('e:41')
    const bodies = bodiesOf(channel)
    expect(world.network.socket.position).toBe('e:41')
    world.network.socket.shakeHands(serverMessage('A', 'seen', 'e:41') + serverMessage('A', 'new', 'e:42'))
    expect(bodies).toEqual(['new'])
  })

  it('moves on with the statements that the server makes in between, and not back', async () => {
    const channel = await world.opened()
    world.network.socket.receive(channelState('e', 100))
    expect(channel.position).toBe('e:100')
    world.network.socket.receive(channelState('e', 99))
    expect(channel.position).toBe('e:100')
  })

  it('may have an epoch with colons', async () => {
    const channel = await world.connecting()
    world.network.socket.shakeHands(channelState('a:b:c', 1) + serverMessage('A', 1, 'a:b:c:2'))
    expect(channel.position).toBe('a:b:c:2')
  })
})

describe('a message', () => {
  it('that was seen is dropped', async () => {
    const channel = await world.opened()
    const bodies = bodiesOf(channel)
    world.network.socket.receive(serverMessage('A', 1, 'e:1') + serverMessage('A', 2, 'e:2'))
    world.network.socket.receive(serverMessage('A', 1, 'e:1') + serverMessage('A', 2, 'e:2'))
    await reconnect(serverMessage('A', 2, 'e:2') + serverMessage('A', 3, 'e:3'))
    expect(bodies).toEqual([1, 2, 3])
  })

  it('without a position is delivered each time', async () => {
    const channel = await world.opened()
    const bodies = bodiesOf(channel)
    world.network.socket.receive(foreignMessage('A', 1) + foreignMessage('A', 1))
    world.network.socket.receive(serverMessage('A', 2, 'nowhere') + serverMessage('A', 2, 'nowhere'))
    expect(bodies).toEqual([1, 1, 2, 2])
    expect(channel.position).toBe('e:0')
  })

  it('of another epoch is taken, with a gap stated, for nobody knows what became of the old one', async () => {
    const channel = await world.opened()
    const bodies = bodiesOf(channel)
    const gaps = gapsOf(channel)
    world.network.socket.receive(
      serverMessage('A', 1, 'e:7') + serverMessage('A', 2, 'f:1') + serverMessage('A', 3, 'f:2'),
    )
    expect(bodies).toEqual([1, 2, 3])
    expect(channel.position).toBe('f:2')
    expect(gaps).toEqual([{ reason: 'epoch-changed', from: 'e:7', to: 'f:1' }])
  })
})

describe('a gap', () => {
  it.each(['epoch-changed', 'history-trimmed'] as const)('is stated when the server says %s', async (reason) => {
    const channel = await world.opened()
    world.network.socket.receive(serverMessage('A', 1, 'e:5'))
    const gaps = gapsOf(channel)
    await reconnect(channelState('f', 70, { recovered: false, reason }))
    expect(gaps).toEqual([{ reason, from: 'e:5', to: 'f:70' }])
    expect(channel.position).toBe('f:70')
  })

  it('is stated before the channel is open, with the new position known', async () => {
    const channel = await world.opened()
    const told: unknown[] = []
    channel.onGap(() => told.push(['gap', channel.state, channel.position]))
    channel.onStateChange((state) => told.push(state))
    await reconnect(channelState('f', 3, { recovered: false, reason: 'epoch-changed' }))
    expect(told).toEqual(['reconnecting', ['gap', 'reconnecting', 'f:3'], 'open'])
  })

  it('lets the messages after it through, also where the log was rewound in its epoch', async () => {
    const channel = await world.opened()
    world.network.socket.receive(serverMessage('A', 1, 'e:50'))
    const bodies = bodiesOf(channel)
    await reconnect(
      channelState('e', 10, { recovered: false, reason: 'epoch-changed' }) + serverMessage('A', 2, 'e:11'),
    )
    expect(bodies).toEqual([2])
    expect(channel.position).toBe('e:11')
  })

  it('may come while the channel is open', async () => {
    const channel = await world.opened()
    const gaps = gapsOf(channel)
    world.network.socket.receive(channelState('f', 0, { recovered: false, reason: 'epoch-changed' }))
    expect(gaps).toEqual([{ reason: 'epoch-changed', from: 'e:0', to: 'f:0' }])
  })

  it('is none where everything came, nothing was missed, or there was no position', async () => {
    const channel = await world.connecting()
    const gaps = gapsOf(channel)
    world.network.socket.shakeHands(channelState('e', 5, { recovered: false, reason: 'epoch-changed' }))
    await reconnect(channelState('e', 5, { recovered: true }))
    await reconnect(channelState('e', 5))
    world.network.socket.receive(channelState('e', 9))
    expect(gaps).toEqual([])
  })

  it('is stated to a channel that began with a position', async () => {
    const channel = await world.connecting({ position: 'old:41' })
    const gaps = gapsOf(channel)
    world.network.socket.shakeHands(channelState('e', 5, { recovered: false, reason: 'epoch-changed' }))
    expect(gaps).toEqual([{ reason: 'epoch-changed', from: 'old:41', to: 'e:5' }])
  })
})

describe(`over ${CUTS} cuts at any byte, with duplicates`, () => {
  it.each(SEEDS)('each message is handled once, in order (seed %i)', async (seed) => {
    const random = seededRandom(seed)
    world = new World(random)
    const server = new FakeServer(world.network, random)
    const channel = await world.connecting()
    const handled: unknown[] = []
    channel.on('A', (body) => handled.push(body))
    const gaps = gapsOf(channel)
    server.serve()
    let posted = 0
    const post = (): void => {
      for (let n = Math.floor(random() * 6); n > 0; n--) server.post('A', posted++)
    }
    for (let cut = 0; cut < CUTS; cut++) {
      post()
      server.cutAnywhere()
      post()
      if (random() < 0.3) world.sign('online')
      await world.untilNextSocket()
      server.serve()
    }
    post()
    server.flush()
    expect(handled).toEqual(Array.from({ length: posted }, (_, n) => n))
    expect(gaps).toEqual([])
    expect(channel.state).toBe('open')
    expect(world.network.liveMax).toBe(1)
  })

  it.each(SEEDS)('what is not handled is stated to be lost, where the log is lost too (seed %i)', async (seed) => {
    const random = seededRandom(seed)
    world = new World(random)
    const server = new FakeServer(world.network, random)
    const channel = await world.connecting()
    const handled: number[] = []
    let lossesStated = 0
    channel.on<number>('A', (body) => handled.push(body))
    channel.onGap(() => lossesStated++)
    server.serve()
    let posted = 0
    let losses = 0
    for (let cut = 0; cut < CUTS; cut++) {
      for (let n = Math.floor(random() * 6); n > 0; n--) server.post('A', posted++)
      server.cutAnywhere()
      if (random() < 0.4) {
        // A client that never had a position has lost nothing.
        if (channel.position !== undefined) losses++
        server.loseLog()
      }
      await world.untilNextSocket()
      server.serve()
      server.flush()
    }
    // In order, none twice.
    expect(handled).toEqual([...new Set(handled)].sort((a, b) => a - b))
    expect(lossesStated).toBe(losses)
    if (losses === 0) expect(handled).toHaveLength(posted)
  })
})
