// A page that is hidden, put away, offline, asleep: with virtual time.
import { beforeEach, describe, expect, it } from 'vitest'
import { World, watch } from './harness.ts'
import { CLOSE, channelState, hubMessage, PING, serverMessage } from './wire.ts'

let world: World

beforeEach(() => {
  world = new World()
})

/** The server's side of ten minutes: it pings every 15 s. Returns the longest that it heard nothing. */
async function tenMinutes(): Promise<number> {
  const { socket } = world.network
  let heardAt = world.clock.now()
  let longestMs = 0
  let heard = socket.sent.length
  for (let second = 1; second <= 600; second++) {
    await world.clock.pass(1_000)
    if (second % 15 === 0) socket.receive(PING)
    if (socket.sent.length > heard) {
      heard = socket.sent.length
      longestMs = Math.max(longestMs, world.clock.now() - heardAt)
      heardAt = world.clock.now()
    }
  }
  return longestMs
}

describe('a hidden page', () => {
  it('whose timers run once a minute keeps its connection for ten minutes', async () => {
    const { after } = world.environment
    const throttled = (delayMs: number, run: () => void): ReturnType<typeof after> => {
      const due = world.clock.now() + delayMs
      return after(Math.ceil(due / 60_000) * 60_000 - world.clock.now(), run)
    }
    const channel = await world.opened({ environment: { ...world.environment, after: throttled } })
    const told = watch(channel)
    world.sign('hidden')
    // A server gives up a client that is silent for 30 s.
    expect(await tenMinutes()).toBeLessThan(30_000)
    expect(told).toEqual([])
    expect(world.network.sockets).toHaveLength(1)
  })

  const calls = (): unknown[] =>
    world.network.socket.sent
      .filter((text) => text.includes('TellEvery'))
      .map((text) => (JSON.parse(text.slice(0, -1)) as { arguments: unknown[] }).arguments[0])

  it('that asks for the latest only has the server told, on each connection anew', async () => {
    await world.opened({ whenHidden: 'latest', hiddenIntervalMs: 5_000 })
    expect(calls()).toEqual([])
    world.sign('hidden')
    world.sign('visible')
    expect(calls()).toEqual([5_000, 0])
    world.sign('hidden')
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    expect(calls()).toEqual([5_000])
  })

  it('that asks for everything has nobody told', async () => {
    await world.opened()
    world.sign('hidden')
    expect(calls()).toEqual([])
  })

  it('does without where the server does not know of it', async () => {
    const channel = await world.opened({ whenHidden: 'latest' })
    world.sign('hidden')
    world.network.socket.receive(hubMessage({ type: 3, invocationId: '1', error: 'Method does not exist.' }))
    world.network.socket.receive(serverMessage('A', 1, 'e:1'))
    expect(channel.position).toBe('e:1')
    expect(world.reported).toEqual([])
  })

  it.each([0, 999, 600_001, Number.NaN])('can’t be told every %s ms', async (hiddenIntervalMs) => {
    await expect(world.connecting({ whenHidden: 'latest', hiddenIntervalMs })).rejects.toThrow(/hiddenIntervalMs/)
  })
})

describe('a page that is put away', () => {
  it('says goodbye, waits without attempts, and goes on when it comes back', async () => {
    const channel = await world.opened()
    const told = watch(channel)
    const { socket } = world.network
    world.sign('frozen')
    expect(socket.sent.at(-1)).toBe(CLOSE)
    expect(socket.isLive).toBe(false)
    await world.clock.pass(3_600_000)
    expect(world.network.sockets).toHaveLength(1)
    world.sign('thawed')
    await world.clock.pass(0)
    expect(world.network.socket.position).toBe('e:0')
    world.network.socket.shakeHands(serverMessage('A', 1, 'e:1') + channelState('e', 1, { recovered: true }))
    expect(told).toEqual(['open → reconnecting', 'reconnecting → open'])
  })

  it('while it waits, connects or asks for a token takes that up again', async () => {
    let tokens = 0
    await world.connecting({ accessToken: async () => Promise.resolve(`token-${++tokens}`) })
    world.network.socket.drop()
    for (let n = 0; n < 3; n++) {
      world.sign('frozen')
      await world.clock.pass(3_600_000)
      world.sign('thawed')
      if (n === 1) world.sign('frozen')
      world.sign('thawed')
      await world.clock.pass(0)
    }
    expect(world.network.sockets.filter(({ isLive }) => isLive)).toHaveLength(1)
    world.network.socket.shakeHands(channelState('e', 0))
  })
})
