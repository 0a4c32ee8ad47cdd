import { describe, expect, it } from 'vitest'
import { openScene, range } from './channel-scene.ts'

describe('a client that was told by another node what this one is yet to hear of', () => {
  it('gets nothing twice and loses nothing: it waits for the log to get as far', async () => {
    const { connect, post, clock } = await openScene()
    for (const number of range(1, 3)) await post(number)
    const { outlet } = connect('a', { position: 'epoch-1:5' })
    await clock.settle()
    expect(outlet.received).toEqual([])
    for (const number of range(4, 7)) await post(number)
    await clock.settle()
    expect(outlet.bodies).toEqual([6, 7])
    expect(outlet.states.at(-1)).toMatchObject({ recovered: true })
  })

  it('gets what is for a group that it was added to meanwhile', async () => {
    const { channel, connect, post, clock } = await openScene()
    const { outlet } = connect('a', { position: 'epoch-1:2' })
    channel.joinGroup('a', 'g')
    await post(1)
    await post(2)
    await post(3, { groups: 'g' })
    await clock.settle()
    expect(outlet.bodies).toEqual([3])
  })

  it('is told of a gap where the log does not get there in ten seconds', async () => {
    const { connect, post, clock } = await openScene()
    await post(1)
    const { outlet } = connect('a', { position: 'epoch-1:5' })
    await clock.settle()
    clock.advance(9_999)
    expect(outlet.states).toEqual([])
    clock.advance(1)
    expect(outlet.states).toEqual([{ epoch: 'epoch-1', offset: 1, recovered: false, reason: 'epoch-changed' }])
    await post(2)
    await clock.settle()
    expect(outlet.bodies).toEqual([2])
  })

  it('is told once of a new epoch', async () => {
    const { connect, store, clock } = await openScene()
    const { outlet } = connect('a', { position: 'epoch-1:5' })
    store.beginEpoch('epoch-2', 3)
    await clock.settle()
    expect(outlet.states).toEqual([{ epoch: 'epoch-2', offset: 3, recovered: false, reason: 'epoch-changed' }])
  })

  it('is not told of an earlier position in place of a ping', async () => {
    const { connect, post } = await openScene()
    await post(1)
    const { connection, outlet } = connect('a', { position: 'epoch-1:5' })
    expect(connection.tellPosition()).toBe(false)
    expect(outlet.states).toEqual([])
  })

  it('may leave before', async () => {
    const { connect, post, clock } = await openScene()
    const { leave, outlet } = connect('a', { position: 'epoch-1:2' })
    leave()
    for (const number of range(1, 3)) await post(number)
    await clock.settle()
    expect(outlet.received).toEqual([])
  })
})

describe('a connection that another process writes to', () => {
  it('is counted once for each message that is for it, and found by its id', async () => {
    const { channel, connect, post } = await openScene()
    connect('here', { user: 'u' })
    const told: unknown[] = []
    const remote = channel.connectRemote({
      id: 'there',
      user: 'u',
      groups: ['g'],
      onGroup: (...change) => void told.push(change),
      onPace() {},
    })
    expect((await post(1)).connections).toBe(2)
    expect((await post(2, { users: 'u', groups: 'g' })).connections).toBe(2)
    expect((await post(3, { connections: 'there' })).connections).toBe(1)
    expect(channel.joinGroup('there', 'late')).toBe(true)
    expect((await post(4, { groups: 'late' })).connections).toBe(1)
    channel.leaveGroup('there', 'late')
    expect((await post(5, { groups: 'late' })).connections).toBe(0)
    expect(told).toEqual([
      ['late', true],
      ['late', false],
    ])
    channel.disconnect(remote)
    expect((await post(6)).connections).toBe(1)
    expect(channel.connectionCount).toBe(1)
  })
})
