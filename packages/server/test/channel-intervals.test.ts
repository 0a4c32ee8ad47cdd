import { describe, expect, it } from 'vitest'
import type { Post } from '../src/channel/intake.ts'
import { type Client, openScene, range } from './channel-scene.ts'

const FILLER = 'x'.repeat(600)
const INTERVAL_MS = 1000

async function openIntervals(limits: Parameters<typeof openScene>[0] = {}) {
  const scene = await openScene(limits)
  const { channel, clock } = scene
  const save = async (body: unknown, more: Partial<Post> = {}): Promise<void> => {
    await channel.post([{ sender: 'Saved', key: 'order:42', intervalMs: INTERVAL_MS, body, ...more }])
    await clock.settle()
  }
  const plain = async (body: unknown): Promise<void> => {
    await scene.post(body)
    await clock.settle()
  }
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await clock.settle()
  }
  return { ...scene, save, plain, pass }
}

const take = ({ outlet }: Client): unknown[] => {
  const bodies = outlet.bodies.filter((body) => body !== FILLER)
  outlet.chunks.length = 0
  return bodies
}

describe('a key with an interval', () => {
  it('goes at once the first time, then the newest at the end of each interval', async () => {
    const { connect, save, pass } = await openIntervals()
    const client = connect('a')
    await save(1)
    expect(take(client)).toEqual([1])
    for (const body of range(2, 10)) {
      await pass(100)
      await save(body)
    }
    expect([take(client), client.connection.state]).toEqual([[], 'waiting'])
    await pass(99)
    expect(take(client)).toEqual([])
    await pass(1)
    expect([take(client), client.connection.state]).toEqual([[10], 'live'])
    await pass(500)
    await save(11)
    expect(take(client)).toEqual([])
    await pass(500)
    expect(take(client)).toEqual([11])
  })

  it('goes at once again after a quiet interval', async () => {
    const { connect, save, pass, clock } = await openIntervals()
    const client = connect('a')
    await save(1)
    await pass(INTERVAL_MS)
    await save(2)
    expect([take(client), clock.timerCount]).toEqual([[1, 2], 0])
  })

  it('costs a page a handful of refreshes for ten thousand saves, and the last one comes', async () => {
    const { connect, save, pass, clock } = await openIntervals()
    const client = connect('a')
    for (const body of range(1, 10_000)) {
      await save(body)
      if (body % 2 === 0) clock.advance(1)
    }
    await pass(INTERVAL_MS)
    const bodies = take(client)
    expect(bodies.at(-1)).toBe(10_000)
    // Five seconds of saves: the first one, and one in each second.
    expect(bodies).toHaveLength(6)
  })

  it('goes with the first entry after it that has to go, in order and with positions that are true', async () => {
    const { connect, save, plain, pass } = await openIntervals()
    const client = connect('a', { position: '' })
    for (const body of [1, 2, 3]) await save(body)
    await plain('plain')
    await save(4)
    expect(client.outlet.messages.map(({ Body, Position }) => [Body, Position])).toEqual([
      [1, 'epoch-1:1'],
      [3, 'epoch-1:3'],
      ['plain', 'epoch-1:4'],
    ])
    take(client)
    await pass(INTERVAL_MS)
    expect(take(client)).toEqual([4])
  })

  it('holds up no other key, and other keys and senders do not hold it up', async () => {
    const { connect, save, pass } = await openIntervals()
    const client = connect('a')
    await save('a1')
    await save('b1', { key: 'order:43' })
    await save('c1', { sender: 'Other' })
    expect(take(client)).toEqual(['a1', 'b1', 'c1'])
    await pass(400)
    await save('a2')
    await save('b2', { key: 'order:43', intervalMs: 100 })
    await pass(100)
    // What is before it in the log goes with it.
    expect(take(client)).toEqual(['a2', 'b2'])
  })

  it('leaves what comes after it in the log waiting', async () => {
    const { connect, save, pass } = await openIntervals()
    const client = connect('a')
    await save('a1')
    await pass(500)
    await save('b1', { key: 'order:43' })
    take(client)
    await save('a2')
    await save('b2', { key: 'order:43' })
    await pass(500)
    expect([take(client), client.connection.state]).toEqual([['a2'], 'waiting'])
    await pass(500)
    expect([take(client), client.connection.state]).toEqual([['b2'], 'live'])
  })

  it('waits no longer than an entry itself asks for', async () => {
    const { connect, save, pass } = await openIntervals()
    const client = connect('a')
    await save(1)
    await save(2)
    await save(3, { intervalMs: 10 })
    await pass(10)
    expect(take(client)).toEqual([1, 3])
  })

  it('does not keep an entry waiting until it has expired', async () => {
    const { connect, save, pass } = await openIntervals()
    const client = connect('a')
    await save(1)
    await save(2)
    await save('short', { ttlMs: 500 })
    expect(take(client)).toEqual([1, 'short'])
    await save('long', { ttlMs: 5000 })
    await pass(INTERVAL_MS)
    expect(take(client)).toEqual(['long'])
  })

  it('that is posted without one goes at once', async () => {
    const { connect, save, pass, channel, clock } = await openIntervals()
    const client = connect('a')
    await save(1)
    await save(2)
    await channel.post([{ sender: 'Saved', key: 'order:42', body: 'now' }])
    await clock.settle()
    expect(take(client)).toEqual([1, 'now'])
    await pass(INTERVAL_MS)
    expect(take(client)).toEqual([])
  })
})

describe('a key with an interval, for several audiences', () => {
  it('has an interval of its own for each', async () => {
    const { connect, save, pass } = await openIntervals()
    const [ann, bob] = [connect('a', { user: 'ann' }), connect('b', { user: 'bob' })]
    await save('ann 1', { to: { users: 'ann' } })
    await save('bob 1', { to: { users: 'bob' } })
    await save('ann 2', { to: { users: 'ann' } })
    expect([take(ann), take(bob)]).toEqual([['ann 1'], ['bob 1']])
    await save('both', { to: { users: ['ann', 'bob'] } })
    await pass(INTERVAL_MS)
    expect([take(ann), take(bob)]).toEqual([['both'], ['both']])
  })

  it('brings the last one to those too whom what came after it excepts', async () => {
    const { connect, save, pass } = await openIntervals()
    const [ann, bob] = [connect('ann'), connect('bob')]
    const saveBy = (id: string, body: number): Promise<void> => save(body, { to: { all: true, except: id } })
    await saveBy('ann', 1)
    await saveBy('bob', 2)
    await saveBy('ann', 3)
    await saveBy('bob', 4)
    await saveBy('ann', 5)
    expect([take(ann), take(bob)]).toEqual([[], [1]])
    await pass(INTERVAL_MS)
    expect([take(ann), take(bob)]).toEqual([[4], [5]])
  })

  it('brings the last one to those too whom what came after it excepts, when the tail is about to lose it', async () => {
    const { connect, save, plain, pass } = await openIntervals({ tailCountMax: 8 })
    const [ann, bob] = [connect('ann', { user: 'u' }), connect('bob', { user: 'u' })]
    await save(1, { to: { users: 'u' } })
    await save(2, { to: { users: 'u' } })
    for (const body of range(3, 30)) await save(body, { to: { users: 'u', except: 'ann' } })
    expect([take(ann), take(bob)]).toEqual([[1, 2], [1]])
    await plain('plain')
    expect([take(ann), take(bob)]).toEqual([['plain'], [30, 'plain']])
    await pass(INTERVAL_MS)
    expect([take(ann), take(bob)]).toEqual([[], []])
  })
})

describe('a connection that waits for the end of an interval', () => {
  it('is not told that it is further than it is', async () => {
    const { connect, save, pass } = await openIntervals()
    const client = connect('a', { position: '' })
    await save(1)
    await save(2)
    expect(client.connection.tellPosition()).toBe(false)
    await pass(INTERVAL_MS)
    expect(client.connection.tellPosition()).toBe(true)
    expect(client.outlet.states.at(-1)).toEqual({ epoch: 'epoch-1', offset: 2 })
  })

  it('gets at once what waits when it comes back, and when it is told to leave', async () => {
    const { connect, save } = await openIntervals()
    const client = connect('a', { position: '' })
    await save(1)
    await save(2)
    client.connection.flush()
    expect(take(client)).toEqual([1, 2])
    const other = connect('b', { position: 'epoch-1:1' })
    await save(3)
    expect(take(other)).toEqual([2])
  })

  it('gets the newest from the tail, however much the tail lost meanwhile', async () => {
    const { connect, save, pass, store, channel, clock } = await openIntervals({ tailCountMax: 20 })
    const client = connect('a', { user: 'u' })
    await save(0)
    for (const body of range(1, 100)) {
      await save(body)
      await channel.post([{ sender: 'Other', body, to: { users: 'other' } }])
      store.trimTo(channel.position.length > 0 ? Math.max(0, 2 * body - 20) : 0)
    }
    await clock.settle()
    await pass(INTERVAL_MS)
    expect([take(client), store.reads, client.outlet.closed]).toEqual([[0, 100], [], undefined])
  })

  it('gets it before the interval ends where the tail would lose it', async () => {
    const { connect, save, store, channel, clock } = await openIntervals({ tailCountMax: 8 })
    const client = connect('a', { user: 'u' })
    await save(1)
    await save(2)
    for (const body of range(1, 20)) {
      await channel.post([{ sender: 'Other', body, to: { users: 'other' } }])
      await clock.settle()
    }
    expect([take(client), store.reads]).toEqual([[1, 2], []])
  })

  it('gets it from the store where the tail lost it all at once', async () => {
    const { connect, save, store, channel, clock } = await openIntervals({ tailCountMax: 8 })
    const client = connect('a', { user: 'u' })
    await save(1)
    await save(2)
    await channel.post(range(1, 20).map((body) => ({ sender: 'Other', body, to: { users: 'other' } })))
    await clock.settle()
    expect([take(client), store.reads.length > 0]).toEqual([[1, 2], true])
  })

  it('holds nothing up that its socket holds up: what is due comes when it drains, and the rest in its time', async () => {
    const { connect, save, plain, pass } = await openIntervals()
    const client = connect('a')
    client.block()
    await plain(FILLER)
    await plain('plain')
    await save(1)
    await save(2)
    expect(client.connection.state).toBe('blocked')
    client.drain()
    await pass(0)
    expect(take(client)).toEqual(['plain', 1])
    await pass(INTERVAL_MS)
    expect(take(client)).toEqual([2])
  })

  it('is not left without any where another one always comes before it can be given the last', async () => {
    const { channel, connect, plain, clock } = await openIntervals()
    const client = connect('a')
    client.block()
    await plain(FILLER)
    await plain(FILLER)
    const got: unknown[] = []
    for (const body of range(1, 1000)) {
      await channel.post([{ sender: 'Saved', key: 'order:42', intervalMs: INTERVAL_MS, body }])
      clock.advance(10)
      client.drain()
      client.block()
      await channel.post([{ sender: 'Saved', key: 'order:42', intervalMs: INTERVAL_MS, body: `${body} too` }])
      clock.turn()
      got.push(...take(client))
    }
    expect(got.length).toBeGreaterThanOrEqual(10)
    expect(got.length).toBeLessThanOrEqual(12)
  })

  it('gets it when it leaves the group by which others wait for it', async () => {
    const { channel, connect, save, pass } = await openIntervals()
    const client = connect('a', { position: '', user: 'u' })
    channel.joinGroup('a', 'g')
    await save(1, { to: { groups: 'g' } })
    await save(2, { to: { groups: 'g', users: 'u' }, key: 'other' })
    await save(3, { to: { groups: 'g', users: 'u' }, key: 'other' })
    take(client)
    channel.leaveGroup('a', 'g')
    await pass(0)
    expect([take(client), client.connection.state]).toEqual([[3], 'live'])
  })

  it('begins anew with a new epoch, and no timer is left of the old one', async () => {
    const { connect, save, store, clock, pass } = await openIntervals()
    const client = connect('a', { position: '' })
    await save(1)
    await save(2)
    store.beginEpoch('epoch-2', 0)
    expect(clock.timerCount).toBe(0)
    await pass(INTERVAL_MS)
    expect(take(client)).toEqual([1])
    await save(3)
    expect(take(client)).toEqual([3])
  })

  it('leaves no timer when the channel closes', async () => {
    const { channel, connect, save, clock } = await openIntervals()
    connect('a')
    await save(1)
    await save(2)
    expect(clock.timerCount).toBe(1)
    await channel.close()
    expect(clock.timerCount).toBe(0)
  })
})

describe('intervals: sharing', () => {
  it('gives all that wait for the same the very same chunk', async () => {
    const { connect, save, pass } = await openIntervals()
    const clients = range(1, 100).map((number) => connect(`c${number}`, { user: `u${number}` }))
    for (const body of range(1, 50)) await save(body)
    await pass(INTERVAL_MS)
    for (const { outlet } of clients) expect(outlet.bodies).toEqual([1, 50])
    expect(new Set(clients.flatMap(({ outlet }) => outlet.chunks)).size).toBe(2)
  })

  it('counts a connection in the receipt once, whether it waits or not', async () => {
    const { channel, connect } = await openIntervals()
    connect('a', { user: 'u', groups: ['g'] })
    const post: Post = { sender: 'S', key: 'k', intervalMs: 10, to: { users: 'u', groups: 'g' } }
    const receipts = await channel.post([post, post])
    expect(receipts.map(({ connections }) => connections)).toEqual([1, 1])
  })
})
