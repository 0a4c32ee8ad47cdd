import { beforeEach, describe, expect, it } from 'vitest'
import type { KeptValues } from '../src/index.ts'
import { World } from './harness.ts'
import { channelOwner, channelState, serverMessage } from './wire.ts'

const URL = 'http://host.test/msg'
const KEY = 'serverchannel http://host.test/msg position'

let world: World
let tab: Map<string, string>

beforeEach(() => {
  world = new World()
  tab = new Map()
  world.kept.set('tab', storageOf(tab))
})

function storageOf(values: Map<string, string>): KeptValues {
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  }
}

const query = (name: string): string | null => world.network.socket.url.searchParams.get(name)

describe('the position', () => {
  it('is kept a second after it changed, with whose it is, and when the page is hidden or left', async () => {
    const channel = await world.connecting({}, URL)
    expect([query('position'), query('owner')]).toEqual(['', ''])
    const { socket } = world.network
    socket.shakeHands(channelOwner('ann') + channelState('e', 4))
    expect(tab.get(KEY)).toBeUndefined()
    await world.clock.pass(1_000)
    expect(tab.get(KEY)).toBe('ann e:4')
    socket.receive(serverMessage('A', 1, 'e:5'))
    world.sign('hidden')
    expect(tab.get(KEY)).toBe('ann e:5')
    socket.receive(serverMessage('A', 1, 'e:6'))
    world.sign('frozen')
    expect(tab.get(KEY)).toBe('ann e:6')
    await channel.close()
    expect(world.listening.size).toBe(0)
    expect(world.clock.pending).toBe(0)
  })

  it('covers a message only when its handlers have run', async () => {
    const channel = await world.connecting({}, URL)
    channel.on('A', () => world.sign('hidden'))
    world.network.socket.shakeHands(channelOwner('ann') + channelState('e', 4))
    await world.clock.pass(1_000)
    world.network.socket.receive(serverMessage('A', 1, 'e:5'))
    expect(tab.get(KEY)).toBe('ann e:4')
    await channel.close()
    expect(tab.get(KEY)).toBe('ann e:5')
  })

  it('is gone on from by the next page, as the owner that it was kept for', async () => {
    tab.set(KEY, 'ann e:7')
    const channel = await world.connecting({}, URL)
    expect([query('position'), query('owner')]).toEqual(['e:7', 'ann'])
    world.network.socket.shakeHands(channelOwner('ann') + serverMessage('A', 1, 'e:8') + channelState('e', 8))
    expect(channel.position).toBe('e:8')
    await channel.close()
    expect(tab.get(KEY)).toBe('ann e:8')
  })

  it('is then the new owner’s, without a gap told', async () => {
    tab.set(KEY, 'ann e:7')
    const channel = await world.connecting({}, URL)
    const gaps: unknown[] = []
    channel.onGap((gap) => gaps.push(gap))
    world.network.socket.shakeHands(channelOwner('bob') + channelState('f', 2))
    expect(gaps).toEqual([])
    await channel.close()
    expect(tab.get(KEY)).toBe('bob f:2')
  })

  it.each(['', 'nonsense', 'ann nonsense', ' e:1'])('that was kept as %j does no harm', async (value) => {
    tab.set(KEY, value)
    const channel = await world.connecting({}, URL)
    expect(query('position')).toBe(value === ' e:1' ? 'e:1' : '')
    await channel.close()
  })

  it('is not kept before a server says whose it is', async () => {
    const channel = await world.opened({}, URL)
    await world.clock.pass(5_000)
    await channel.close()
    expect(tab.size).toBe(0)
  })

  it('is kept of one channel of a page for each hub', async () => {
    const first = await world.connecting({}, URL)
    const second = await world.connecting({}, URL)
    expect(query('owner')).toBeNull()
    await first.close()
    const third = await world.connecting({}, URL)
    expect(query('owner')).toBe('')
    await Promise.all([second.close(), third.close()])
  })

  it('that is given goes before that which was kept', async () => {
    tab.set(KEY, 'ann e:7')
    const channel = await world.connecting({ position: 'e:3' }, URL)
    // Whoever the user is now: it is not the kept one's.
    expect([query('position'), query('owner')]).toEqual(['e:3', ''])
    await channel.close()
  })

  it('that can’t be written is no error', async () => {
    world.kept.set('tab', {
      ...storageOf(tab),
      setItem() {
        throw new Error('QuotaExceededError')
      },
    })
    const channel = await world.connecting({}, URL)
    world.network.socket.shakeHands(channelOwner('ann') + channelState('e', 4))
    await world.clock.pass(1_000)
    await channel.close()
    expect(world.reported).toEqual([])
  })
})
