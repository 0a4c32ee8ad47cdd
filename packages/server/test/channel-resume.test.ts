import { describe, expect, it } from 'vitest'
import { openScene, range } from './channel-scene.ts'

describe('a client that keeps its position', () => {
  it('is told at once where it is, where it has none yet', async () => {
    const { connect, post, clock } = await openScene()
    await post('before')
    const { outlet } = connect('a', { position: '' })
    expect(outlet.states).toEqual([{ epoch: 'epoch-1', offset: 1 }])
    await post('after')
    await clock.settle()
    expect(outlet.bodies).toEqual(['after'])
  })

  it.each([
    ['the tail', 10_000],
    ['the store', 1],
  ])('gets what it missed from %s, and then that it has all', async (_, tailCountMax) => {
    const { connect, post, clock } = await openScene({ tailCountMax })
    for (const number of range(1, 20)) await post(number, number % 5 ? 'all' : { users: 'other' })
    const { outlet } = connect('a', { position: 'epoch-1:7' })
    expect(outlet.chunks).toHaveLength(0)
    await clock.settle()
    expect(outlet.bodies).toEqual(range(8, 20).filter((number) => number % 5))
    expect(outlet.received.at(-1)).toEqual({ state: { epoch: 'epoch-1', offset: 20, recovered: true } })
    expect(outlet.states).toHaveLength(1)
  })

  it('gets what is for its user and groups, from before it connected too', async () => {
    const { connect, post, clock } = await openScene()
    await post('user', { users: 'u' })
    await post('group', { groups: 'g' })
    await post('other', { users: 'v', groups: 'h' })
    const { outlet } = connect('a', { user: 'u', groups: ['g'], position: 'epoch-1:0' })
    await clock.settle()
    expect(outlet.bodies).toEqual(['user', 'group'])
  })

  it('is told that it has all where nothing was missed', async () => {
    const { connect, post, clock } = await openScene()
    await post(1)
    const { outlet } = connect('a', { position: 'epoch-1:1' })
    await clock.settle()
    expect(outlet.received).toEqual([{ state: { epoch: 'epoch-1', offset: 1, recovered: true } }])
  })

  it('gets entries that come while it catches up after those it missed', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    for (const number of range(1, 5)) await post(number)
    store.holdReads()
    const { outlet } = connect('a', { position: 'epoch-1:1' })
    clock.turn()
    await post(6)
    store.releaseReads()
    await clock.settle()
    expect(outlet.bodies).toEqual(range(2, 6))
    expect(outlet.received.at(-1)).toEqual({ state: { epoch: 'epoch-1', offset: 6, recovered: true } })
  })

  it.each([
    ['of another epoch', 'epoch-0:3', 'epoch-changed'],
    ['ahead of the head, as after a rewind', 'epoch-1:11', 'epoch-changed'],
    ['before the history that is left', 'epoch-1:4', 'history-trimmed'],
  ])(
    'is told that nothing is recovered and why, with nothing of it sent, where its position is %s',
    async (_, position, reason) => {
      const { connect, post, clock, store } = await openScene()
      for (const number of range(1, 10)) await post(number)
      store.trimTo(5)
      const { outlet } = connect('a', { position })
      await clock.settle()
      // Another node might have told the client of what this one is yet to hear of.
      clock.advance(10_000)
      await clock.settle()
      expect(outlet.received).toEqual([{ state: { epoch: 'epoch-1', offset: 10, recovered: false, reason } }])
      await post(11)
      await clock.settle()
      expect(outlet.bodies).toEqual([11])
    },
  )

  it('is given all from exactly the end of what is gone', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    for (const number of range(1, 10)) await post(number)
    store.trimTo(5)
    const { outlet } = connect('a', { position: 'epoch-1:5' })
    await clock.settle()
    expect(outlet.bodies).toEqual(range(6, 10))
    expect(outlet.states.at(-1)).toMatchObject({ recovered: true })
  })

  it('is told of the gap, and is not closed, where history goes while it catches up', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    for (const number of range(1, 10)) await post(number)
    store.holdReads()
    const { outlet } = connect('a', { position: 'epoch-1:2' })
    clock.turn()
    store.trimTo(8)
    store.releaseReads()
    await clock.settle()
    expect(outlet.closed).toBeUndefined()
    expect(outlet.received).toEqual([
      { state: { epoch: 'epoch-1', offset: 10, recovered: false, reason: 'history-trimmed' } },
    ])
    await post(11)
    await clock.settle()
    expect(outlet.bodies).toEqual([11])
  })

  it('is never told that all is recovered after it was told of a gap', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    for (const number of range(1, 10)) await post(number)
    store.holdReads()
    const { outlet, block, drain } = connect('a', { position: 'epoch-1:2' })
    clock.turn()
    block()
    store.trimTo(8)
    store.releaseReads()
    await clock.settle()
    await post(11)
    await clock.settle()
    drain()
    await clock.settle()
    expect(outlet.states.map(({ recovered }) => recovered)).toEqual([false])
    expect(outlet.bodies).toEqual([11])
  })
})

describe('telling the position', () => {
  it('says how far the log is, once for each place, to a client for which nothing came', async () => {
    const { connect, post, clock } = await openScene()
    const { connection, outlet } = connect('a', { position: '', user: 'u' })
    expect(connection.tellPosition()).toBe(false)
    for (const number of range(1, 3)) await post(number, { users: 'other' })
    await clock.settle()
    expect(connection.tellPosition()).toBe(true)
    expect(connection.tellPosition()).toBe(false)
    expect(outlet.states.at(-1)).toEqual({ epoch: 'epoch-1', offset: 3 })
    await post('mine', { users: 'u' })
    await clock.settle()
    expect(outlet.bodies).toEqual(['mine'])
  })

  it('says nothing while entries are on their way, so that it never runs ahead of them', async () => {
    const { connect, post, clock } = await openScene()
    const { connection, outlet, block, drain } = connect('a', { position: '' })
    block()
    await post('x'.repeat(600))
    await clock.settle()
    await post(2)
    await clock.settle()
    expect(connection.tellPosition()).toBe(false)
    drain()
    expect(connection.tellPosition()).toBe(false)
    await clock.settle()
    expect(connection.tellPosition()).toBe(true)
    expect(outlet.states.at(-1)).toEqual({ epoch: 'epoch-1', offset: 2 })
  })
})
