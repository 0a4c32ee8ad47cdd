import { describe, expect, it } from 'vitest'
import { openScene, range } from './channel-scene.ts'

const LARGE = 'x'.repeat(600)

describe('a live connection', () => {
  it('gets every entry in order, those of one turn in one piece', async () => {
    const { connect, post, clock } = await openScene()
    const { outlet, connection } = connect('a')
    for (const number of range(1, 3)) await post(number)
    expect(outlet.chunks).toHaveLength(0)
    await clock.settle()
    expect(outlet.chunks).toHaveLength(1)
    await post(4)
    await clock.settle()
    expect(outlet.bodies).toEqual(range(1, 4))
    expect(outlet.messages.map(({ Position }) => Position)).toEqual(range(1, 4).map((offset) => `epoch-1:${offset}`))
    expect(connection.state).toBe('live')
  })

  it('gets nothing from before it connected', async () => {
    const { connect, post, clock } = await openScene()
    await post('before')
    const { outlet } = connect('a')
    await post('after')
    await clock.settle()
    expect(outlet.bodies).toEqual(['after'])
  })

  it('is told nothing of its position where it keeps none', async () => {
    const { connect, post, clock } = await openScene()
    const { outlet, connection } = connect('a')
    await post(1)
    await clock.settle()
    expect(connection.tellPosition()).toBe(false)
    expect(outlet.states).toEqual([])
  })

  it('gets nothing once it has left', async () => {
    const { channel, connect, post, clock } = await openScene()
    const { outlet, leave } = connect('a', { user: 'u', groups: ['g'] })
    await post(1)
    leave()
    const { connections } = await post(2, { users: 'u', groups: 'g', connections: 'a' })
    await clock.settle()
    expect([outlet.bodies, connections, channel.connectionCount]).toEqual([[], 0, 0])
  })
})

describe('a connection whose client takes nothing', () => {
  it('gets nothing more once it holds the high-water mark, and everything in order when it drains', async () => {
    const { connect, post, clock } = await openScene()
    const { outlet, connection, block, drain } = connect('a')
    block()
    await post(LARGE)
    await clock.settle()
    for (const number of range(1, 50)) {
      await post(number)
      await clock.settle()
    }
    expect(connection.state).toBe('blocked')
    expect(outlet.bodies).toEqual([LARGE])
    drain()
    await clock.settle()
    expect(outlet.bodies).toEqual([LARGE, ...range(1, 50)])
    expect(connection.state).toBe('live')
  })

  it('holds no more than the mark and one piece, whatever is posted', async () => {
    const { connect, post, clock } = await openScene({ chunkBytesMax: 2000 })
    const { outlet, block } = connect('a')
    block()
    for (const number of range(1, 200)) await post(`${number}${'x'.repeat(200)}`)
    await clock.settle()
    expect(outlet.outstandingBytes).toBeGreaterThanOrEqual(512)
    expect(outlet.outstandingBytes).toBeLessThan(512 + 2000)
  })

  it('holds up neither posts nor others', async () => {
    const { connect, post, clock } = await openScene()
    const blocked = connect('blocked')
    const healthy = connect('healthy')
    blocked.block()
    for (const number of range(1, 20)) {
      await post(number % 2 ? LARGE : number)
      await clock.settle()
    }
    expect(healthy.outlet.bodies).toHaveLength(20)
  })

  it('goes on from where it stopped, each time it drains', async () => {
    const { connect, post, clock } = await openScene({ chunkBytesMax: 1500 })
    const { outlet, connection, block, drain } = connect('a')
    for (const number of range(1, 100)) await post([number, 'x'.repeat(300)])
    for (let drains = 0; connection.state !== 'live' && drains < 100; drains++) {
      block()
      await clock.settle()
      drain()
      block()
    }
    expect(outlet.bodies.map((body) => (body as [number])[0])).toEqual(range(1, 100))
  })
})

describe('a connection that the tail no longer reaches', () => {
  it('reads on from the store in bounded steps, then from the tail', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 10, chunkBytesMax: 1200 })
    const { outlet, connection, block, drain } = connect('a')
    block()
    await post(LARGE)
    await clock.settle()
    for (const number of range(1, 100)) await post([number, 'x'.repeat(300)])
    await clock.settle()
    drain()
    await clock.settle()
    expect(outlet.bodies.slice(1).map((body) => (body as [number])[0])).toEqual(range(1, 100))
    expect(connection.state).toBe('live')
    expect(store.reads.length).toBeGreaterThan(20)
    expect(Math.max(...store.reads.map(({ count }) => count))).toBeLessThan(8)
  })

  it('waits for the store without holding up others, and gets what came meanwhile', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 2 })
    const slow = connect('slow')
    const healthy = connect('healthy')
    slow.block()
    await post(LARGE)
    await clock.settle()
    store.holdReads()
    for (const number of range(1, 10)) {
      await post(number)
      clock.turn()
    }
    slow.drain()
    await clock.settle()
    expect(slow.connection.state).toBe('reading')
    for (const number of range(11, 20)) {
      await post(number)
      clock.turn()
    }
    expect(healthy.outlet.bodies).toEqual([LARGE, ...range(1, 20)])
    store.releaseReads()
    await clock.settle()
    expect(slow.outlet.bodies).toEqual([LARGE, ...range(1, 20)])
  })

  it('is not one for which nothing came: that is at the head, and needs no history', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 2 })
    const { outlet } = connect('a', { user: 'u' })
    for (const number of range(1, 10)) await post(number, { users: 'other' })
    await clock.settle()
    store.trimTo(10)
    await post('mine', { users: 'u' })
    await clock.settle()
    expect([outlet.bodies, outlet.closed, store.reads]).toEqual([['mine'], undefined, []])
  })

  it('gets from the store only what is for it', async () => {
    const { channel, connect, post, clock } = await openScene({ tailCountMax: 1 })
    const { outlet, block, drain } = connect('a', { user: 'u', groups: ['g'] })
    block()
    await post(LARGE)
    await clock.settle()
    await post('user', { users: ['u', 'v'] })
    await clock.settle()
    await post('late group', { groups: 'late' })
    await post('other user', { users: 'v' })
    channel.joinGroup('a', 'late')
    await post('group', { groups: ['g', 'late'] })
    await post('excepted', { all: true, except: 'a' })
    await post('connection', { connections: ['b', 'a'] })
    await post('joined', { groups: 'late' })
    await post('other', { groups: 'h' })
    drain()
    await clock.settle()
    expect(outlet.bodies.slice(1)).toEqual(['user', 'group', 'connection', 'joined'])
  })

  it('is closed with history_lost where the store has lost it, for a client that could not know', async () => {
    const { channel, connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    const { outlet, block, drain } = connect('a')
    block()
    await post(LARGE)
    await clock.settle()
    for (const number of range(1, 10)) await post(number)
    store.trimTo(5)
    drain()
    await clock.settle()
    expect(outlet.closed).toMatchObject({ code: 'history_lost', retry: true })
    expect(outlet.bodies).toEqual([LARGE])
    expect(channel.connectionCount).toBe(0)
  })

  it('is closed with store_failed where the store can not be read', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    const { outlet, block, drain } = connect('a')
    block()
    await post(LARGE)
    await clock.settle()
    for (const number of range(1, 3)) await post(number)
    store.readError = new Error('io')
    drain()
    await clock.settle()
    expect(outlet.closed).toMatchObject({ code: 'store_failed', cause: { message: 'io' } })
  })

  it('is not closed a second time by a read that fails after it left', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    const { outlet, block, drain, leave } = connect('a')
    block()
    await post(LARGE)
    await clock.settle()
    for (const number of range(1, 3)) await post(number)
    store.holdReads()
    drain()
    await clock.settle()
    leave()
    store.readError = new Error('io')
    store.releaseReads()
    await clock.settle()
    expect(outlet.closed).toBeUndefined()
    expect(outlet.bodies).toEqual([LARGE])
  })
})

describe('sharing', () => {
  it('gives a thousand connections at one cursor the very same chunk', async () => {
    const { connect, post, clock } = await openScene()
    const clients = range(1, 1000).map((number) => connect(`c${number}`))
    for (const number of range(1, 5)) await post(number)
    await clock.settle()
    const chunks = new Set(clients.flatMap(({ outlet }) => outlet.chunks))
    expect(clients.map(({ outlet }) => outlet.chunks.length)).toEqual(clients.map(() => 1))
    expect(chunks.size).toBe(1)
    expect(clients[999]?.outlet.bodies).toEqual(range(1, 5))
  })

  it('holds over the slices of one round', async () => {
    const { connect, post, clock } = await openScene({ sliceConnections: 10 })
    const clients = range(1, 100).map((number) => connect(`c${number}`, { groups: ['g'] }))
    await post(1, { groups: 'g' })
    await post(2, { groups: 'g' })
    await clock.settle()
    expect(new Set(clients.flatMap(({ outlet }) => outlet.chunks)).size).toBe(1)
  })

  it('makes pieces of their own for those at other cursors, and for those who are excepted', async () => {
    const { connect, post, clock } = await openScene()
    const [slow, near, excepted] = [connect('slow'), connect('near'), connect('excepted')]
    slow.block()
    await post(LARGE)
    await clock.settle()
    await post(1)
    await clock.settle()
    await post(2)
    await post(3, { all: true, except: 'excepted' })
    slow.drain()
    await clock.settle()
    expect(slow.outlet.bodies).toEqual([LARGE, 1, 2, 3])
    expect(near.outlet.bodies).toEqual([LARGE, 1, 2, 3])
    expect(excepted.outlet.bodies).toEqual([LARGE, 1, 2])
  })

  it('never gives one user what is for another', async () => {
    const { connect, post, clock } = await openScene()
    const [ann, bob] = [connect('a', { user: 'ann' }), connect('b', { user: 'bob' })]
    for (const number of range(1, 20)) await post(number, { users: number % 2 ? 'ann' : 'bob' })
    await clock.settle()
    expect(ann.outlet.bodies).toEqual(range(1, 20).filter((number) => number % 2))
    expect(bob.outlet.bodies).toEqual(range(1, 20).filter((number) => number % 2 === 0))
  })
})

describe('slices', () => {
  it('let the loop turn between them, and keep the order on each connection', async () => {
    const { connect, post, clock } = await openScene({ sliceConnections: 10 })
    const clients = range(1, 35).map((number) => connect(`c${number}`))
    await post(1)
    const written: number[] = []
    while (clock.turn()) {
      written.push(clients.filter(({ outlet }) => outlet.chunks.length > 0).length)
      if (written.length === 2) await post(2)
    }
    expect(written.slice(0, 4)).toEqual([10, 20, 30, 35])
    for (const { outlet } of clients) expect(outlet.bodies).toEqual([1, 2])
  })
})
