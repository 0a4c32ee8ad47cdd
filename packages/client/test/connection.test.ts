import { getEventListeners } from 'node:events'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ChannelError } from '../src/index.ts'
import { settle } from './fake-clock.ts'
import { World, watch } from './harness.ts'
import { CLOSE, channelState, foreignMessage, hubMessage, serverMessage } from './wire.ts'

let world: World

beforeEach(() => {
  world = new World()
})

describe('the state', () => {
  it('is connecting, open, reconnecting, open, closed', async () => {
    const channel = await world.connecting()
    const told = watch(channel)
    expect(channel.state).toBe('connecting')
    world.network.socket.shakeHands(channelState('e', 0))
    expect(channel.state).toBe('open')
    world.network.socket.drop()
    expect(channel.state).toBe('reconnecting')
    await world.untilNextSocket()
    world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    await channel.close()
    expect(channel.state).toBe('closed')
    expect(told).toEqual([
      'connecting → open',
      'open → reconnecting: connection_lost',
      'connection_lost',
      'reconnecting → open',
      'open → closed',
    ])
  })

  it('stays connecting while the first attempts fail', async () => {
    const channel = await world.connecting()
    const told = watch(channel)
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.accept()
    world.network.socket.drop(1011, 'no')
    expect(channel.state).toBe('connecting')
    expect(told).toEqual(['connection_failed', 'connection_failed'])
  })

  it('is not open before the server says that everything came', async () => {
    const channel = await world.opened()
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.shakeHands(serverMessage('A', 1, 'e:1'))
    for (let n = 2; n < 10; n++) {
      await world.clock.pass(1_500)
      world.network.socket.receive(serverMessage('A', n, `e:${n}`))
      expect(channel.state).toBe('reconnecting')
    }
    world.network.socket.receive(channelState('e', 9, { recovered: true }))
    expect(channel.state).toBe('open')
  })

  it('is open two seconds after the handshake of a server that says nothing', async () => {
    const channel = await world.connecting()
    world.network.socket.shakeHands()
    await world.clock.pass(1_999)
    expect(channel.state).toBe('connecting')
    await world.clock.pass(1)
    expect(channel.state).toBe('open')
  })

  it('is open with the first message of a server without positions', async () => {
    const channel = await world.connecting()
    world.network.socket.shakeHands(foreignMessage('A', 1))
    expect(channel.state).toBe('open')
    expect(channel.position).toBeUndefined()
  })

  it('is told with what became of the messages that were missed', async () => {
    const channel = await world.opened()
    const told: unknown[][] = []
    channel.onStateChange((state, { recovered, reason }) => told.push([state, recovered, reason]))
    for (const outcome of [{ recovered: true }, { recovered: false, reason: 'history-trimmed' }, {}] as const) {
      world.network.socket.drop()
      await world.untilNextSocket()
      world.network.socket.shakeHands(channelState('e', 5, outcome))
    }
    expect(told.filter((change) => change[0] === 'open')).toEqual([
      ['open', true, undefined],
      ['open', false, 'history-trimmed'],
      ['open', undefined, undefined],
    ])
  })

  it('is told without what the server said while it was open before', async () => {
    const channel = await world.opened()
    const told: unknown[] = []
    world.network.socket.receive(channelState('f', 0, { recovered: false, reason: 'epoch-changed' }))
    world.network.socket.drop()
    await world.untilNextSocket()
    channel.onStateChange((state, { recovered, reason }) => told.push([state, recovered, reason]))
    world.network.socket.shakeHands()
    await world.clock.pass(2_000)
    expect(told).toEqual([['open', undefined, undefined]])
  })

  it('handlers end with their signal', async () => {
    const channel = await world.connecting()
    const stopping = new AbortController()
    const told: unknown[] = []
    channel.onStateChange((state) => told.push(state), stopping)
    channel.onError((error) => told.push(error), stopping)
    channel.onGap((gap) => told.push(gap), stopping)
    stopping.abort()
    world.network.socket.shakeHands(channelState('e', 0))
    world.network.socket.drop()
    expect(told).toEqual([])
  })
})

describe('the server ends it', () => {
  it('for now: the channel connects again', async () => {
    const channel = await world.opened()
    const errors: ChannelError[] = []
    channel.onError((error) => errors.push(error))
    world.network.socket.receive(hubMessage({ type: 7, error: 'Going down.', allowReconnect: true }))
    expect(channel.state).toBe('reconnecting')
    expect(world.network.socket.isLive).toBe(false)
    expect(errors.map(({ code, message }) => [code, message.includes('Going down.')])).toEqual([
      ['connection_lost', true],
    ])
    await world.untilNextSocket()
  })

  it.each([
    ['with a reason', hubMessage({ type: 7, error: 'Account disabled.' }), 'Account disabled.'],
    ['without one', CLOSE, 'for good.'],
    ['and says so', hubMessage({ type: 7, allowReconnect: false }), 'for good.'],
  ])('for good %s: the channel is closed and makes no attempt', async (_name, record, text) => {
    const channel = await world.opened()
    const told = watch(channel)
    const errors: ChannelError[] = []
    channel.onError((error) => errors.push(error))
    world.network.socket.receive(record)
    expect(told).toEqual(['open → closed: closed_by_server', 'closed_by_server'])
    expect(errors[0]?.message).toContain(text)
    channel.reconnect()
    await world.clock.pass(3_600_000)
    expect(world.network.sockets).toHaveLength(1)
    expect(world.clock.pending).toBe(0)
    expect(world.listening.size).toBe(0)
    await expect(channel.ready()).rejects.toBe(errors[0])
  })

  it('in the handshake: the channel is closed', async () => {
    const channel = await world.connecting()
    const told = watch(channel)
    world.network.socket.accept()
    world.network.socket.receive('{"error":"The protocol \'json\' is not supported."}\u001e')
    expect(told).toEqual(['connecting → closed: handshake_refused', 'handshake_refused'])
    await world.clock.pass(3_600_000)
    expect(world.network.sockets).toHaveLength(1)
  })

  it('in the handshake because it goes down: the channel connects again', async () => {
    const channel = await world.connecting()
    const told = watch(channel)
    world.network.socket.accept()
    world.network.socket.receive('{"error":"Handshake was canceled."}\u001e')
    expect(told).toEqual(['connection_failed'])
    await world.untilNextSocket()
  })

  it('with nobody listening for errors: that is reported', async () => {
    await world.opened()
    world.network.socket.drop()
    expect(world.reported).toEqual([])
    await world.untilNextSocket()
    world.network.socket.shakeHands(CLOSE)
    expect(world.reported).toMatchObject([{ name: 'ChannelError', code: 'closed_by_server' }])
  })
})

describe('an attempt that cannot be made', () => {
  it('for want of a token is made again, with the cause told', async () => {
    const cause = new Error('401')
    const errors: ChannelError[] = []
    let isUp = false
    const channel = await world.connecting({ accessToken: () => (isUp ? 'token' : Promise.reject(cause)) })
    channel.onError((error) => errors.push(error))
    await world.clock.pass(10_000)
    expect(errors.length).toBeGreaterThan(2)
    expect(errors.every((error) => error.code === 'access_token_failed' && error.cause === cause)).toBe(true)
    isUp = true
    await world.untilNextSocket()
    expect(world.network.socket.url.searchParams.get('access_token')).toBe('token')
  })

  it('because the function for tokens throws at once reaches handlers that are added after connect()', async () => {
    const channel = world.connecting({
      accessToken: () => {
        throw new Error('bug')
      },
    })
    const told = watch(await channel)
    await world.clock.pass(1_000)
    expect(told[0]).toBe('access_token_failed')
  })

  it('because there can be no socket is made again', async () => {
    const cause = new Error('SecurityError')
    world.network.failure = cause
    const channel = await world.connecting()
    const errors: ChannelError[] = []
    channel.onError((error) => errors.push(error))
    await world.clock.pass(1_000)
    expect(errors[0]).toMatchObject({ code: 'connection_failed', cause })
    world.network.failure = undefined
    await world.untilNextSocket()
  })

  it('because the channel was closed while the token was on its way is not made', async () => {
    let give: (token: string) => void = () => {}
    const channel = await world.connecting({
      accessToken: () =>
        new Promise((resolve) => {
          give = resolve
        }),
    })
    await channel.close()
    give('late')
    await settle()
    expect(world.network.sockets).toHaveLength(0)
  })
})

describe('close', () => {
  it('says so to the server, closes the socket, and resolves when that is gone', async () => {
    const channel = await world.opened()
    const { socket } = world.network
    socket.answersClose = false
    let isClosed = false
    const close = async (): Promise<void> => {
      await channel.close()
      isClosed = true
    }
    const closing = close()
    await settle()
    expect(socket.sent.at(-1)).toBe(CLOSE)
    expect(socket.state).toBe('closing')
    expect(channel.state).toBe('closed')
    expect(isClosed).toBe(false)
    socket.drop(1000)
    await closing
    expect(world.clock.pending).toBe(0)
    expect(world.listening.size).toBe(0)
  })

  it('waits a second at most for a socket that does not answer', async () => {
    const channel = await world.opened()
    world.network.socket.answersClose = false
    const closing = channel.close()
    expect(world.clock.nextMs).toBe(1_000)
    await world.clock.pass(1_000)
    await closing
  })

  it('may be called again and again, in any state', async () => {
    const open = await world.opened()
    await Promise.all([open.close(), open.close()])
    await open.close()
    const connecting = await world.connecting()
    await connecting.close()
    expect(world.network.socket.isLive).toBe(false)
    const waiting = await world.opened()
    world.network.socket.drop()
    await waiting.close()
    await world.clock.pass(3_600_000)
    expect(world.network.sockets).toHaveLength(3)
    expect(world.clock.pending).toBe(0)
  })

  it('is what `await using` does', async () => {
    const channel = await world.opened()
    await channel[Symbol.asyncDispose]()
    expect(channel.state).toBe('closed')
  })

  it('may be called by a handler that is told of the loss', async () => {
    const channel = await world.opened()
    channel.onStateChange((state) => {
      if (state === 'reconnecting') void channel.close()
    })
    world.network.socket.drop()
    expect(channel.state).toBe('closed')
    await world.clock.pass(60_000)
    expect(world.network.sockets).toHaveLength(1)
    expect(world.reported).toEqual([])
  })
})

describe('ready', () => {
  it('resolves when the channel is open, at once where it is', async () => {
    const channel = await world.connecting()
    let isReady = false
    const wait = async (): Promise<void> => {
      await channel.ready()
      isReady = true
    }
    const ready = wait()
    world.network.socket.shakeHands()
    await settle()
    expect(isReady).toBe(false)
    world.network.socket.receive(channelState('e', 0))
    await ready
    await channel.ready()
  })

  it('rejects where the channel is closed instead', async () => {
    const channel = await world.connecting()
    const settled = Promise.allSettled([channel.ready()])
    await channel.close()
    expect(await settled).toMatchObject([{ status: 'rejected', reason: { code: 'channel_closed' } }])
    await expect(channel.ready()).rejects.toMatchObject({ code: 'channel_closed' })
  })

  it('leaves nothing behind at its signal', async () => {
    const channel = await world.connecting()
    const { signal } = new AbortController()
    const ready = channel.ready({ signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    world.network.socket.shakeHands(channelState('e', 0))
    await ready
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it("rejects with the signal's reason", async () => {
    const channel = await world.connecting()
    const stopping = new AbortController()
    const reason = new Error('enough')
    const settled = Promise.allSettled([channel.ready({ signal: stopping.signal })])
    await settle()
    stopping.abort(reason)
    expect(await settled).toEqual([{ status: 'rejected', reason }])
    await expect(channel.ready({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
