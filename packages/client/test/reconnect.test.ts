import { beforeEach, describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { World, watch } from './harness.ts'
import { channelState, hubMessage, PING, serverMessage } from './wire.ts'

let world: World

beforeEach(() => {
  world = new World()
})

describe('after a lost connection', () => {
  it.each([1000, 1001, 1005, 1006, 1011, 1012, 4000, 4401, 4403])('with code %i it connects again', async (code) => {
    await world.opened()
    world.network.socket.drop(code)
    await world.untilNextSocket()
    expect(world.network.sockets).toHaveLength(2)
  })

  it('the first attempt comes within 300 ms, later ones later, up to 30 s, for ever', async () => {
    const delays: number[] = []
    // The largest random part, so that the wait is its ceiling.
    world = new World(() => 1)
    await world.opened()
    world.network.socket.drop()
    for (let attempt = 0; attempt < 60; attempt++) {
      delays.push(world.clock.nextMs ?? Number.NaN)
      await world.untilNextSocket()
      world.network.socket.drop()
    }
    expect(delays.slice(0, 9)).toEqual([300, 600, 1200, 2400, 4800, 9600, 19_200, 30_000, 30_000])
    expect(new Set(delays.slice(7))).toEqual(new Set([30_000]))
    world.network.socket.drop()
    expect(world.clock.nextMs).toBe(30_000)
  })

  it('the waits follow the options', async () => {
    world = new World(() => 1)
    await world.opened({ reconnectDelayMs: 10, reconnectDelayMsMax: 25 })
    const delays: unknown[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      world.network.socket.drop()
      delays.push(world.clock.nextMs)
      await world.untilNextSocket()
    }
    expect(delays).toEqual([10, 20, 25, 25])
  })

  it('each wait is a random part of its ceiling', async () => {
    const parts = [0, 0.25, 0.5, 0.75]
    let drawn = 0
    world = new World(() => parts[drawn++ % parts.length] ?? 0)
    await world.opened()
    const delays: unknown[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      world.network.socket.drop()
      delays.push(world.clock.nextMs)
      await world.untilNextSocket()
    }
    expect(delays).toEqual([0, 150, 600, 1800])
  })

  it('the waits begin small again once a connection was open', async () => {
    world = new World(() => 1)
    await world.opened()
    for (let attempt = 0; attempt < 6; attempt++) {
      world.network.socket.drop()
      await world.untilNextSocket()
    }
    world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    world.network.socket.drop()
    expect(world.clock.nextMs).toBe(300)
  })

  it('a handshake alone does not make them small: the server may fall over right after it', async () => {
    world = new World(() => 1)
    await world.opened()
    const delays: unknown[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      world.network.socket.drop()
      delays.push(world.clock.nextMs)
      await world.untilNextSocket()
      world.network.socket.shakeHands()
    }
    expect(delays).toEqual([300, 600, 1200, 2400])
  })

  it('a server whose data cannot be read is asked ever more rarely', async () => {
    world = new World(() => 1)
    await world.opened()
    const delays: unknown[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      world.network.socket.receive('no JSON\u001e')
      delays.push(world.clock.nextMs)
      await world.untilNextSocket()
      world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    }
    expect(delays).toEqual([300, 600, 1200, 2400])
  })

  it('there are never two sockets at a time', async () => {
    const channel = await world.opened()
    for (let cut = 0; cut < 20; cut++) {
      if (cut % 3 === 0) world.network.socket.drop()
      else if (cut % 3 === 1) await world.clock.pass(31_000)
      else world.network.socket.receive(hubMessage({ type: 7, allowReconnect: true }))
      channel.reconnect()
      world.sign('online')
      await settle()
      world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    }
    expect(world.network.liveMax).toBe(1)
    expect(world.network.sockets.length).toBeGreaterThan(20)
  })

  it('late events of an old socket change nothing', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.onMessage(({ Body }) => got.push(Body))
    const old = world.network.socket
    old.answersClose = false
    // Half open: nothing came for too long, and the socket does not say that it is gone.
    await world.clock.pass(31_000)
    await settle()
    const { socket } = world.network
    expect(socket).not.toBe(old)
    socket.shakeHands(channelState('e', 0, { recovered: true }))
    const told = watch(channel)
    old.receive(serverMessage('A', 'late', 'e:1'))
    old.receive(hubMessage({ type: 7 }))
    old.accept()
    old.drop()
    expect(got).toEqual([])
    expect(told).toEqual([])
    expect(channel.state).toBe('open')
    expect(socket.isLive).toBe(true)
    socket.receive(serverMessage('A', 'on time', 'e:1'))
    expect(got).toEqual(['on time'])
  })

  it('reconnect() tries at once, and leaves a connection that works alone', async () => {
    world = new World(() => 1)
    const channel = await world.opened()
    channel.reconnect()
    await settle()
    expect(world.network.sockets).toHaveLength(1)
    for (let attempt = 0; attempt < 8; attempt++) {
      world.network.socket.drop()
      await world.untilNextSocket()
    }
    world.network.socket.drop()
    expect(world.clock.nextMs).toBe(30_000)
    channel.reconnect()
    channel.reconnect()
    await settle()
    expect(world.network.sockets).toHaveLength(10)
    world.network.socket.drop()
    expect(world.clock.nextMs).toBe(300)
  })

  it('a page that wakes tries at once', async () => {
    await world.opened()
    world.network.socket.drop()
    world.sign('online')
    await settle()
    expect(world.network.sockets).toHaveLength(2)
  })
})

describe('silence', () => {
  it('of 30 s ends the connection', async () => {
    const channel = await world.opened()
    const told = watch(channel)
    await world.clock.pass(29_999)
    expect(channel.state).toBe('open')
    await world.clock.pass(1)
    expect(told).toEqual(['open → reconnecting: server_timeout', 'server_timeout'])
    expect(world.network.sockets[0]?.isLive).toBe(false)
  })

  it.each([
    ['a ping', PING],
    ['a message', serverMessage('A', 1, 'e:1')],
    ['a piece of one', '{"type"'],
  ])('is broken by %s', async (_name, data) => {
    const channel = await world.opened()
    await world.clock.pass(29_000)
    world.network.socket.receive(data)
    await world.clock.pass(29_999)
    expect(channel.state).toBe('open')
    await world.clock.pass(1)
    expect(channel.state).toBe('reconnecting')
  })

  it('of the page is broken by a ping every 15 s', async () => {
    await world.opened()
    const { socket } = world.network
    for (let turn = 1; turn <= 8; turn++) {
      await world.clock.pass(15_000)
      socket.receive(PING)
      expect(socket.sent).toHaveLength(2 + turn)
    }
    expect(new Set(socket.sent.slice(1))).toEqual(new Set([PING]))
  })

  it('of the page is broken by answers to what comes, where a hidden page has its timers held up', async () => {
    await world.opened()
    const { socket } = world.network
    for (let turn = 1; turn <= 4; turn++) {
      world.clock.jump(15_000)
      socket.receive(PING)
      expect(socket.sent).toHaveLength(2 + turn)
      socket.receive(PING)
      expect(socket.sent).toHaveLength(2 + turn)
    }
  })

  it('during sleep ends the connection when the page wakes', async () => {
    const channel = await world.opened()
    world.clock.jump(3_600_000)
    expect(channel.state).toBe('open')
    world.sign('online')
    expect(channel.state).toBe('reconnecting')
  })

  it('is measured anew when the clock is set back', async () => {
    const channel = await world.opened()
    world.clock.jump(-3_600_000)
    // The timers are still set to the old time: something wakes the page.
    world.sign('online')
    await world.clock.pass(30_000)
    expect(channel.state).toBe('reconnecting')
  })

  it('of a server that does not accept ends the attempt after 15 s', async () => {
    const channel = await world.connecting()
    const told = watch(channel)
    await world.clock.pass(14_999)
    expect(told).toEqual([])
    await world.clock.pass(1)
    expect(told).toEqual(['handshake_timeout'])
    expect(world.network.sockets[0]?.isLive).toBe(false)
  })

  it('after the handshake request ends the attempt too, with the time since its beginning', async () => {
    const channel = await world.connecting({ handshakeTimeoutMs: 1_000 })
    const told = watch(channel)
    await world.clock.pass(600)
    world.network.socket.accept()
    await world.clock.pass(400)
    expect(told).toEqual(['handshake_timeout'])
  })
})
