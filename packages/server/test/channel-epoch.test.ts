import { describe, expect, it } from 'vitest'
import { openScene, range } from './channel-scene.ts'

describe('when the log begins a new epoch', () => {
  it('tells those who keep their position that history is lost, and closes those who do not', async () => {
    const { connect, post, clock, store } = await openScene()
    const keeping = connect('keeping', { position: '' })
    const stock = connect('stock')
    await post(1)
    await clock.settle()
    store.beginEpoch('epoch-2', 0)
    await clock.settle()
    expect(keeping.outlet.states.at(-1)).toEqual({
      epoch: 'epoch-2',
      offset: 0,
      recovered: false,
      reason: 'epoch-changed',
    })
    expect(keeping.outlet.closed).toBeUndefined()
    expect(stock.outlet.closed).toMatchObject({ code: 'history_lost' })
  })

  it('sends what is posted in it, whatever the offset of the last entry before', async () => {
    for (const head of [0, 2, 3, 4, 100]) {
      const { connect, post, clock, store } = await openScene()
      const { outlet } = connect('a', { position: '' })
      for (const number of range(1, 3)) await post(number)
      await clock.settle()
      store.beginEpoch('epoch-2', head)
      for (const number of range(11, 13)) await post(number)
      await clock.settle()
      expect(outlet.bodies, `head ${head}`).toEqual([1, 2, 3, 11, 12, 13])
      expect(outlet.messages.at(-1)?.Position).toBe(`epoch-2:${head + 3}`)
    }
  })

  it('sends what is posted in it to a group that was joined late in the one before', async () => {
    const { channel, connect, post, clock, store } = await openScene()
    const { outlet } = connect('a', { position: '' })
    for (const number of range(1, 10)) await post(number)
    channel.joinGroup('a', 'g')
    await clock.settle()
    store.beginEpoch('epoch-2', 0)
    await post('group', { groups: 'g' })
    await clock.settle()
    expect(outlet.bodies.at(-1)).toBe('group')
  })

  it('sends nothing of the old one to those whose turn had not come', async () => {
    const { connect, post, clock, store } = await openScene({ sliceConnections: 1 })
    const [first, second] = [connect('first', { position: '' }), connect('second', { position: '' })]
    await post('old')
    clock.turn()
    store.beginEpoch('epoch-2', 0)
    await post('new')
    await clock.settle()
    expect(first.outlet.bodies).toEqual(['old', 'new'])
    expect(second.outlet.bodies).toEqual(['new'])
    expect(second.outlet.messages.map(({ Position }) => Position)).toEqual(['epoch-2:1'])
  })

  it('drops what a read of the old one brings', async () => {
    const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
    for (const number of range(1, 5)) await post(number)
    store.holdReads()
    const { outlet, block, drain } = connect('a', { position: 'epoch-1:1' })
    clock.turn()
    expect(store.heldReadCount).toBe(1)
    store.beginEpoch('epoch-2', 0)
    block()
    for (const number of range(11, 15)) await post(number)
    await post('x'.repeat(600))
    await clock.settle()
    drain()
    await clock.settle()
    expect(store.heldReadCount).toBe(2)
    store.releaseOneRead()
    await clock.settle()
    store.releaseReads()
    await clock.settle()
    expect(outlet.bodies).toEqual([...range(11, 15), 'x'.repeat(600)])
    expect(outlet.states).toEqual([{ epoch: 'epoch-2', offset: 0, recovered: false, reason: 'epoch-changed' }])
  })
})

describe('when the node was cut off for longer than history reaches', () => {
  it('tells those who keep their position that history was trimmed, in the same epoch, and closes those who do not', async () => {
    const { channel, connect, post, clock, store } = await openScene()
    const keeping = connect('keeping', { position: '' })
    const stock = connect('stock')
    await post(1)
    channel.joinGroup('keeping', 'g')
    await clock.settle()
    store.skipTo(7)
    await post(2)
    await post('group', { groups: 'g' })
    await clock.settle()
    expect(keeping.outlet.states.at(-1)).toEqual({
      epoch: 'epoch-1',
      offset: 7,
      recovered: false,
      reason: 'history-trimmed',
    })
    expect(keeping.outlet.closed).toBeUndefined()
    expect(keeping.outlet.bodies).toEqual([1, 2, 'group'])
    expect(keeping.outlet.messages.at(-1)?.Position).toBe('epoch-1:9')
    expect(stock.outlet.closed).toMatchObject({ code: 'history_lost' })
  })

  it('lets a client that was told more by another node go on from there, once the log is there', async () => {
    const { connect, post, clock, store } = await openScene()
    await post(1)
    const { outlet } = connect('a', { position: 'epoch-1:7' })
    store.skipTo(7)
    await post(2)
    await clock.settle()
    expect(outlet.bodies).toEqual([2])
    expect(outlet.states).toEqual([{ epoch: 'epoch-1', offset: 8, recovered: true }])
  })

  it('lets one that was told even more wait on', async () => {
    const { connect, post, clock, store } = await openScene()
    await post(1)
    const { outlet } = connect('a', { position: 'epoch-1:9' })
    store.skipTo(7)
    await clock.settle()
    expect(outlet.states).toEqual([])
    for (const number of range(8, 10)) await post(number)
    await clock.settle()
    expect(outlet.bodies).toEqual([10])
    expect(outlet.states).toEqual([{ epoch: 'epoch-1', offset: 10, recovered: true }])
  })
})
