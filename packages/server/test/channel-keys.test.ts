import { describe, expect, it } from 'vitest'
import type { AudienceInput } from '../src/channel/audience.ts'
import type { Post } from '../src/channel/intake.ts'
import { type Client, openScene, range } from './channel-scene.ts'

const FILLER = 'x'.repeat(600)

type Keyed = Partial<Post> & { readonly body: unknown }

async function openKeys(limits: Parameters<typeof openScene>[0] = {}) {
  const scene = await openScene(limits)
  const save = async (post: Keyed): Promise<void> => {
    await scene.channel.post([{ sender: 'Saved', key: 'order:42', ...post }])
  }
  /** A client that gets nothing more until it drains. */
  const block = async (client: Client): Promise<void> => {
    client.block()
    for (const _ of range(1, 2)) {
      await scene.channel.post([{ sender: 'Filler', key: 'filler', body: FILLER }])
      await scene.clock.settle()
    }
    expect(client.connection.state).toBe('blocked')
  }
  return { ...scene, save, block }
}

const bodiesOf = ({ outlet }: Client): readonly unknown[] => outlet.bodies.filter((body) => body !== FILLER)

describe('keys: a live connection', () => {
  it('gets every entry, those of one turn too', async () => {
    const { connect, save, clock } = await openKeys()
    const client = connect('a')
    for (const body of range(1, 5)) await save({ body })
    await clock.settle()
    await save({ body: 6 })
    await clock.settle()
    expect(client.outlet.bodies).toEqual(range(1, 6))
  })
})

describe.each([
  ['the tail', 10_000],
  ['the store', 1],
])('keys: a connection that catches up from %s', (_, tailCountMax) => {
  it('gets the newest entry of each key only, in the order of the log', async () => {
    const { connect, save, post, block, clock } = await openKeys({ tailCountMax })
    const client = connect('a')
    await block(client)
    for (const body of range(1, 50)) {
      await save({ body })
      await save({ body: `b${body}`, key: 'order:43' })
      if (body % 10 === 0) await post(`plain ${body}`)
    }
    client.drain()
    await clock.settle()
    expect(bodiesOf(client)).toEqual(['plain 10', 'plain 20', 'plain 30', 'plain 40', 50, 'b50', 'plain 50'])
    expect(client.connection.state).toBe('live')
    await save({ body: 51 })
    await clock.settle()
    expect(bodiesOf(client).at(-1)).toBe(51)
  })

  it('gets the newest only when it comes back with its position', async () => {
    const { connect, save, clock } = await openKeys({ tailCountMax })
    for (const body of range(1, 10_000)) await save({ body })
    const { outlet } = connect('a', { position: 'epoch-1:5' })
    await clock.settle()
    expect(outlet.bodies).toEqual([10_000])
    expect(outlet.states).toEqual([{ epoch: 'epoch-1', offset: 10_000, recovered: true }])
  })

  it('takes the same key of two senders, and names that would read the same together, for different ones', async () => {
    const { connect, save, block, clock } = await openKeys({ tailCountMax })
    const client = connect('a')
    await block(client)
    const names: [string, string][] = [
      ['a', 'bc'],
      ['ab', 'c'],
      ['__proto__', 'constructor'],
      ['constructor', '__proto__'],
      ['toString', 'a\u0000b'],
      ['a\u0000toString', 'b'],
      ['é', ' '],
    ]
    for (const round of [1, 2])
      for (const [sender, key] of names) await save({ sender, key, body: [round, sender, key] })
    client.drain()
    await clock.settle()
    expect(bodiesOf(client)).toEqual(names.map(([sender, key]) => [2, sender, key]))
  })

  it('gets what is the newest for it, whatever is newer for others', async () => {
    const { channel, connect, block, save, clock } = await openKeys({ tailCountMax })
    const [ann, bob] = [connect('a', { user: 'ann', groups: ['sales'] }), connect('b', { user: 'bob' })]
    await block(ann)
    await block(bob)
    const posts: [unknown, AudienceInput][] = [
      ['all', 'all'],
      ['ann', { users: 'ann' }],
      ['bob', { users: ['bob'] }],
      ['sales', { groups: 'sales' }],
      ['not ann', { all: true, except: 'a' }],
      ['nobody', { users: 'nobody' }],
    ]
    for (const [body, to] of posts) await save({ body, to })
    for (const client of [ann, bob]) client.drain()
    await clock.settle()
    expect([bodiesOf(ann), bodiesOf(bob)]).toEqual([['sales'], ['not ann']])
    expect(channel.connectionCount).toBe(2)
  })

  it('gets both where the newer one reaches this connection only, and the older one the next one too', async () => {
    const { channel, connect, block, save, clock } = await openKeys({ tailCountMax })
    const client = connect('a', { user: 'ann' })
    channel.joinGroup('a', 'joined')
    await block(client)
    await save({ body: 'all' })
    await save({ body: 'connection 1', to: { connections: 'a' } })
    await save({ body: 'connection 2', to: { connections: 'a' } })
    await save({ body: 'joined', to: { groups: 'joined' } })
    client.drain()
    await clock.settle()
    expect(bodiesOf(client)).toEqual(['all', 'joined'])
  })

  it('loses nothing where it is cut off between what is left out and what stands for that', async () => {
    const { connect, save, post, clock } = await openKeys({ tailCountMax, chunkBytesMax: 1024 })
    await save({ body: 'old' })
    for (const number of range(1, 20)) await post([number, 'x'.repeat(200)])
    await save({ body: 'new' })
    const first = connect('a', { position: 'epoch-1:0' })
    first.block()
    await clock.settle()
    const position = first.outlet.messages.at(-1)?.Position ?? ''
    first.leave()
    expect(first.outlet.bodies).not.toContain('new')
    const second = connect('b', { position })
    await clock.settle()
    const numbers = [...first.outlet.bodies, ...second.outlet.bodies].map((body) =>
      typeof body === 'string' ? body : (body as [number])[0],
    )
    expect(numbers).toEqual([...range(1, 20), 'new'])
  })

  it('gets nothing of a key whose newest entry has expired: what that replaced is not revived', async () => {
    const { connect, save, post, block, clock } = await openKeys({ tailCountMax })
    const client = connect('a')
    await block(client)
    await save({ body: 'stays' })
    await save({ body: 'short', ttlMs: 1000 })
    await post('plain')
    clock.advance(1000)
    client.drain()
    await clock.settle()
    expect(bodiesOf(client)).toEqual(['plain'])
  })
})

describe('keys: catching up from the store', () => {
  it('is one refresh for ten thousand saves that the tail has long forgotten', async () => {
    const { connect, save, post, clock, store } = await openKeys({ tailCountMax: 10, chunkBytesMax: 65_536 })
    for (const body of range(1, 10_000)) await save({ body })
    for (const number of range(1, 20)) await post(number)
    const { outlet } = connect('a', { position: 'epoch-1:0' })
    await clock.settle()
    expect(outlet.bodies).toEqual([10_000, ...range(1, 20)])
    expect(store.reads.length).toBeGreaterThan(15)
  })

  it('keeps no more than a piece of what it has read, and skips nothing for that', async () => {
    const { connect, save, clock } = await openKeys({ tailCountMax: 1, chunkBytesMax: 4096 })
    for (const number of range(1, 300)) await save({ body: [number, 'x'.repeat(100)], key: `order:${number}` })
    const { outlet } = connect('a', { position: 'epoch-1:0' })
    await clock.settle()
    expect(outlet.bodies.map((body) => (body as [number])[0])).toEqual(range(1, 300))
    expect(Math.max(...outlet.chunks.map(({ payload }) => payload.length))).toBeLessThan(3 * 4096)
  })

  it('writes nothing of an epoch that ended meanwhile', async () => {
    const { connect, save, post, clock, store } = await openKeys({ tailCountMax: 1 })
    for (const body of range(1, 2000)) await save({ body })
    for (const number of [1, 2]) await post(number)
    const { outlet } = connect('a', { position: 'epoch-1:0' })
    clock.turn()
    store.holdReads()
    await clock.settle()
    store.beginEpoch('epoch-2', 0)
    store.releaseReads()
    await save({ body: 'new' })
    await clock.settle()
    expect(outlet.bodies).toEqual(['new'])
    expect(outlet.states.at(-1)).toMatchObject({ epoch: 'epoch-2', recovered: false, reason: 'epoch-changed' })
  })
})

describe('keys: sharing', () => {
  it('gives those at one cursor the very same chunk, also where entries were left out of it', async () => {
    const { connect, save, block, clock } = await openKeys()
    const clients = range(1, 100).map((number) => connect(`c${number}`, { user: `u${number}` }))
    const first = connect('first')
    for (const client of clients) client.block()
    await block(first)
    for (const body of range(1, 100)) await save({ body })
    for (const client of clients) client.drain()
    await clock.settle()
    expect(clients.map(bodiesOf)).toEqual(clients.map(() => [100]))
    expect(new Set(clients.map(({ outlet }) => outlet.chunks.at(-1))).size).toBe(1)
  })

  it('gives one whom the newest excepts the one before, however far the newest is', async () => {
    const { connect, save, post, clock } = await openKeys()
    await post('start')
    await save({ body: 1 })
    for (const number of range(1, 1100)) await post(number)
    await save({ body: 2, to: { all: true, except: 'excepted' } })
    const [other, excepted] = ['other', 'excepted'].map((id) => connect(id, { position: 'epoch-1:1' }))
    await clock.settle()
    expect(other?.outlet.bodies).toEqual([...range(1, 1100), 2])
    expect(excepted?.outlet.bodies).toEqual([1, ...range(1, 1100)])
  })

  it('gives those who are live, those who are behind and those who are excepted what is theirs', async () => {
    const { connect, save, post, block, clock } = await openKeys()
    const [behind, live, excepted] = [connect('behind'), connect('live'), connect('excepted')]
    excepted.block()
    await block(behind)
    await post('start')
    await clock.settle()
    for (const body of [1, 2, 3]) await save({ body })
    await save({ body: 4, to: { all: true, except: 'excepted' } })
    behind.drain()
    excepted.drain()
    await clock.settle()
    expect(bodiesOf(live)).toEqual(['start', 1, 2, 3, 4])
    expect(bodiesOf(behind)).toEqual(['start', 4])
    expect(bodiesOf(excepted)).toEqual(['start', 3])
  })
})

describe('keys: one round of writing', () => {
  it('gives one that is live all, and one that fell behind in it the newest, though they are at one cursor', async () => {
    const { connect, save, clock } = await openKeys({ sliceConnections: 1 })
    const [live, behind] = [connect('live'), connect('behind'), connect('third')]
    behind.block()
    await save({ body: FILLER, key: 'filler' })
    await clock.settle()
    await save({ body: 1 })
    await save({ body: 2 })
    clock.turn()
    clock.turn()
    expect([bodiesOf(live), behind.connection.state]).toEqual([[1, 2], 'blocked'])
    behind.drain()
    await clock.settle()
    expect(bodiesOf(behind)).toEqual([2])
  })

  it('gives one that must not wait all, and one that may what is due, though they are at one cursor', async () => {
    const { connect, save, clock } = await openKeys()
    const [leaving, staying] = [connect('leaving'), connect('staying')]
    await save({ body: 1, intervalMs: 1000 })
    await save({ body: 2, intervalMs: 1000 })
    leaving.connection.flush()
    await clock.settle()
    expect([bodiesOf(leaving), bodiesOf(staying)]).toEqual([[2], [1]])
  })
})

describe('keys: ten thousand saves', () => {
  it('are one refresh of a page that reads too slowly, and it ends on the last state', async () => {
    const { connect, save, block, clock } = await openKeys()
    const client = connect('slow')
    await block(client)
    let most = 0
    for (const body of range(1, 10_000)) {
      await save({ body })
      if (body % 100 === 0) await clock.settle()
      most = Math.max(most, client.outlet.outstandingBytes)
    }
    client.drain()
    await clock.settle()
    expect(bodiesOf(client)).toEqual([10_000])
    expect(most).toBeLessThan(2000)
  })

  it('leave nothing in the index once the tail has lost them', async () => {
    const { connect, save, post, clock } = await openKeys({ tailCountMax: 5 })
    const client = connect('a', { position: 'epoch-1:0' })
    for (const body of range(1, 100)) await save({ body, key: `order:${body}` })
    for (const number of range(1, 5)) await post(number)
    await save({ body: 'again', key: 'order:1' })
    await clock.settle()
    expect(client.outlet.bodies.at(-1)).toBe('again')
    expect(client.outlet.bodies).toHaveLength(105)
  })
})

describe('keys: history that is gone', () => {
  it('is no loss where all of it is replaced by what is left', async () => {
    const { connect, save, block, clock, store } = await openKeys({ tailCountMax: 10 })
    const blocked = connect('blocked')
    await save({ body: 0 })
    await block(blocked)
    await save({ body: 'filler', sender: 'Filler', key: 'filler' })
    for (const body of range(1, 100)) {
      await save({ body })
      if (body % 5 === 0) await save({ body: 'filler', sender: 'Filler', key: 'filler' })
    }
    store.trimTo(113)
    const away = connect('away', { user: 'new', position: 'epoch-1:3' })
    blocked.drain()
    await clock.settle()
    expect(away.outlet.bodies).toEqual([100, 'filler'])
    expect(away.outlet.states).toEqual([{ epoch: 'epoch-1', offset: 124, recovered: true }])
    expect(bodiesOf(blocked)).toEqual([0, 100, 'filler'])
    expect([blocked.outlet.closed, store.reads]).toEqual([undefined, []])
  })

  it('is a loss for one whom what replaced it excepts', async () => {
    const { connect, save, clock, store } = await openKeys({ tailCountMax: 10 })
    await save({ body: 'old' })
    for (const body of range(1, 100)) await save({ body, to: { all: true, except: 'a' } })
    store.trimTo(91)
    const { outlet } = connect('a', { position: 'epoch-1:0' })
    await clock.settle()
    expect(outlet.states).toMatchObject([{ recovered: false, reason: 'history-trimmed' }])
  })

  it.each<[string, AudienceInput]>([
    ['that stands for itself', 'all'],
    ['that stands for itself, for a user who has come since', { users: 'ann' }],
  ])('is a loss where an entry is gone %s', async (_, to) => {
    const { connect, save, post, clock, store } = await openKeys({ tailCountMax: 10 })
    await post('alone', to)
    for (const body of range(1, 100)) await save({ body })
    store.trimTo(91)
    const { outlet } = connect('a', { user: 'ann', position: 'epoch-1:0' })
    await clock.settle()
    expect(outlet.received).toEqual([
      { state: { epoch: 'epoch-1', offset: 101, recovered: false, reason: 'history-trimmed' } },
    ])
  })

  it('is a loss where the store lets go what the tail still has: it was to be kept no longer', async () => {
    const { connect, save, clock, store } = await openKeys()
    for (const body of range(1, 10)) await save({ body })
    store.trimTo(10)
    const { outlet } = connect('a', { position: 'epoch-1:1' })
    await clock.settle()
    expect([outlet.bodies, outlet.states[0]?.recovered]).toEqual([[], false])
  })

  it('of an earlier epoch says nothing of this one', async () => {
    const { connect, save, post, clock, store } = await openKeys({ tailCountMax: 2 })
    connect('keeps the audience key there')
    await post('alone')
    for (const body of range(1, 10)) await save({ body })
    store.beginEpoch('epoch-2', 50)
    for (const body of range(1, 10)) await save({ body })
    store.trimTo(58)
    const { outlet } = connect('a', { position: 'epoch-2:20' })
    await clock.settle()
    expect(outlet.states).toEqual([{ epoch: 'epoch-2', offset: 60, recovered: false, reason: 'history-trimmed' }])
  })
})
