import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect, type Message } from '../src/index.ts'
import { settle } from './fake-clock.ts'
import { World } from './harness.ts'
import { channelState, foreignMessage, hubMessage, serverMessage } from './wire.ts'

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('connect', () => {
  it.each([
    ['http://host.test/msg', 'ws://host.test/msg?position='],
    ['https://host.test:8443/a/msg', 'wss://host.test:8443/a/msg?position='],
    ['ws://host.test/msg?user=ann&x=1', 'ws://host.test/msg?user=ann&x=1&position='],
    ['wss://host.test/msg#part', 'wss://host.test/msg?position='],
  ])('opens %s as %s', async (url, expected) => {
    await world.connecting({}, url)
    expect(world.network.socket.url.href).toBe(expected)
  })

  it('resolves a relative url against the page, and is at /msg by default', async () => {
    vi.stubGlobal('location', { href: 'https://page.test/orders/42?tab=1' })
    connect(undefined, world.options)
    connect('hub', world.options)
    await settle()
    expect(world.network.sockets.map(({ url }) => url.href)).toEqual([
      'wss://page.test/msg?position=',
      'wss://page.test/orders/hub?position=',
    ])
  })

  it.each([
    ['/msg', {}, /is not a url of http or ws/],
    ['ftp://host.test/msg', {}, /is not a url of http or ws/],
    ['http://host.test/msg', { position: 'elsewhere' }, /not a position/],
    ['http://host.test/msg', { serverTimeoutMs: 0 }, /serverTimeoutMs needs/],
    ['http://host.test/msg', { keepAliveIntervalMs: Number.NaN }, /keepAliveIntervalMs needs/],
    ['http://host.test/msg', { reconnectDelayMsMax: Infinity }, /reconnectDelayMsMax needs/],
  ])('refuses %s with %j at once', (url, options, text) => {
    expect(() => connect(url, { ...world.options, ...options })).toThrow(text)
    expect(world.listening.size).toBe(0)
    expect(world.clock.pending).toBe(0)
  })

  it('says what to do where there is no WebSocket', () => {
    vi.stubGlobal('WebSocket', undefined)
    const { environment = {}, transports } = world.options
    expect(() => connect('http://host.test/msg', { environment, transports })).toThrow(
      /pass one as `options.WebSocket`/,
    )
  })

  it('shakes hands and pings at once', async () => {
    await world.connecting()
    const { socket } = world.network
    socket.accept()
    expect(socket.sent).toEqual(['{"protocol":"json","version":1}\u001e'])
    socket.receive('{}\u001e')
    expect(socket.sent.slice(1)).toEqual(['{"type":6}\u001e'])
  })

  it('sends the access token in the query, asked anew for each attempt', async () => {
    let asked = 0
    await world.opened({ accessToken: () => Promise.resolve(`token ${++asked}`) })
    world.network.socket.drop()
    await world.untilNextSocket()
    expect(world.network.sockets.map(({ url }) => url.searchParams.get('access_token'))).toEqual(['token 1', 'token 2'])
  })

  it('sends a token that is text as it is, and an empty one not at all', async () => {
    await world.connecting({ accessToken: 'a&b=c' })
    expect(world.network.socket.url.searchParams.get('access_token')).toBe('a&b=c')
    await world.connecting({ accessToken: () => '' })
    expect(world.network.socket.url.searchParams.has('access_token')).toBe(false)
  })
})

describe('a handler', () => {
  it('gets the messages of its sender, compared exactly', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.on('OrderChanged', (body, { Header }) => got.push([body, Header.Sender]))
    const { socket } = world.network
    socket.receive(serverMessage('OrderChanged', 1, 'e:1'))
    socket.receive(serverMessage('orderchanged', 2, 'e:2'))
    socket.receive(serverMessage('OrderChanged ', 3, 'e:3'))
    socket.receive(serverMessage('OrderChanged', 4, 'e:4'))
    expect(got).toEqual([
      [1, 'OrderChanged'],
      [4, 'OrderChanged'],
    ])
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', ' ', '\u0000', 'ñ😀'])(
    'gets the messages of the sender %j and no other does',
    async (sender) => {
      const channel = await world.opened()
      const got: unknown[] = []
      channel.on(sender, (body) => got.push(body))
      channel.on('another', (body) => got.push(body))
      world.network.socket.receive(serverMessage(sender, 'mine', 'e:1'))
      expect(got).toEqual(['mine'])
      expect(world.reported).toEqual([])
    },
  )

  it('for all senders gets every message, after those for its sender', async () => {
    const channel = await world.opened()
    const got: string[] = []
    channel.onMessage(({ Header }) => got.push(`all ${Header.Sender}`))
    channel.on('A', () => got.push('A'))
    world.network.socket.receive(serverMessage('A', 1, 'e:1') + serverMessage('B', 2, 'e:2'))
    expect(got).toEqual(['A', 'all A', 'all B'])
  })

  it('that is added twice runs twice, and each goes off by itself', async () => {
    const channel = await world.opened()
    let calls = 0
    const handler = (): void => {
      calls++
    }
    const offFirst = channel.on('A', handler)
    channel.on('A', handler)
    world.network.socket.receive(serverMessage('A', 1, 'e:1'))
    expect(calls).toBe(2)
    offFirst()
    offFirst()
    world.network.socket.receive(serverMessage('A', 2, 'e:2'))
    expect(calls).toBe(3)
  })

  it('that throws is reported, and the others run', async () => {
    const channel = await world.opened()
    const error = new Error('first')
    const got: string[] = []
    channel.on('A', () => {
      throw error
    })
    channel.on('A', () => got.push('second'))
    channel.onMessage(() => got.push('third'))
    world.network.socket.receive(serverMessage('A', 1, 'e:1') + serverMessage('A', 2, 'e:2'))
    expect(got).toEqual(['second', 'third', 'second', 'third'])
    expect(world.reported).toEqual([error, error])
    expect(channel.state).toBe('open')
  })

  it('may add and take off handlers: the round goes on as it began', async () => {
    const channel = await world.opened()
    const got: string[] = []
    channel.on('A', () => {
      got.push('first')
      offSecond()
      channel.on('A', () => got.push('added'), { signal })
      channel.onMessage(() => got.push('added for all'), { signal })
    })
    const { signal } = new AbortController()
    const offSecond = channel.on('A', () => got.push('second'))
    channel.on('A', () => got.push('third'))
    world.network.socket.receive(serverMessage('A', 1, 'e:1'))
    expect(got).toEqual(['first', 'second', 'third'])
    got.length = 0
    world.network.socket.receive(serverMessage('A', 2, 'e:2'))
    expect(got).toEqual(['first', 'third', 'added', 'added for all'])
  })

  it('runs until its signal is aborted, and never where it was before', async () => {
    const channel = await world.opened()
    const stopping = new AbortController()
    const got: unknown[] = []
    const { signal } = stopping
    channel.on('A', (body) => got.push(body), { signal })
    channel.onMessage(({ Body }) => got.push(Body), { signal })
    channel.on('A', (body) => got.push(body), { signal: AbortSignal.abort() })
    world.network.socket.receive(serverMessage('A', 1, 'e:1'))
    expect(got).toEqual([1, 1])
    stopping.abort()
    world.network.socket.receive(serverMessage('A', 2, 'e:2'))
    expect(got).toEqual([1, 1])
  })

  it('takes its listener off the signal when it goes off', async () => {
    const channel = await world.opened()
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    channel.on('A', () => {}, { signal })()
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener))
  })

  it('may close the channel: nothing comes after that', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.on('A', (body) => {
      got.push(body)
      void channel.close()
    })
    world.network.socket.receive(serverMessage('A', 1, 'e:1') + serverMessage('A', 2, 'e:2'))
    expect(got).toEqual([1])
    expect(channel.position).toBe('e:1')
  })

  it('finds a position that covers its message', async () => {
    const channel = await world.opened()
    const positions: unknown[] = []
    channel.onMessage(({ Position }) => positions.push([Position, channel.position]))
    world.network.socket.receive(serverMessage('A', 1, 'e:7') + serverMessage('A', 2, 'e:9'))
    expect(positions).toEqual([
      ['e:7', 'e:7'],
      ['e:9', 'e:9'],
    ])
  })
})

describe('a body arrives as it was posted', () => {
  it.each([
    ['an empty text', ''],
    ['a text that says null', 'null'],
    ['a number in a text', '5'],
    ['a text', 'abc'],
    ['JSON in a text', '{"id":42}'],
    ['a list', [1, 2]],
    ['an object', { id: 42, nested: { list: [null, true, -0.5e-7] } }],
    ['null', null],
    ['false', false],
    ['zero', 0],
    ['emoji', '😀 👩‍👩‍👧 ñ'],
    ['lone surrogates', '\ud83d and \ude00'],
    ['separators', 'a\u001eb\u2028c\u0000d'],
    ['a megabyte', 'x'.repeat(1024 * 1024)],
    ['a key named __proto__', JSON.parse('{"__proto__":{"polluted":true}}')],
  ])('%s', async (_name, body) => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.on('A', (value) => got.push(value))
    world.network.socket.receive(serverMessage('A', body, 'e:1'))
    expect(got).toEqual([body])
    expect(typeof got[0]).toBe(typeof body)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

describe('the wire', () => {
  it('may bring many messages in a frame and a message in many frames', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.on('A', (body) => got.push(body))
    const text = [1, 2, 3].map((n) => serverMessage('A', n, `e:${n}`)).join('')
    for (let i = 0; i < text.length; i += 7) world.network.socket.receive(text.slice(i, i + 7))
    world.network.socket.receive('')
    expect(got).toEqual([1, 2, 3])
  })

  it('may bring messages together with the answer to the handshake, and that in pieces', async () => {
    const channel = await world.connecting()
    const got: unknown[] = []
    channel.on('A', (body) => got.push(body))
    world.network.socket.accept()
    world.network.socket.receive('{')
    world.network.socket.receive(`}\u001e${channelState('e', 0)}${serverMessage('A', 1, 'e:1')}`)
    expect(got).toEqual([1])
  })

  it('names targets in any case', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.on('A', (body) => got.push(body))
    world.network.socket.receive(foreignMessage('A', 1).replace('ServerMessage', 'serverMESSAGE'))
    world.network.socket.receive(channelState('e', 5).replace('ChannelState', 'channelstate'))
    expect(got).toEqual([1])
    expect(channel.position).toBe('e:5')
  })

  it('may bring what is not for this client', async () => {
    const channel = await world.opened()
    const errors: unknown[] = []
    channel.onError((error) => errors.push(error))
    const { socket } = world.network
    socket.receive(hubMessage({ type: 1, target: 'toString', arguments: [] }))
    socket.receive(hubMessage({ type: 3, invocationId: '1', result: 1 }))
    socket.receive('{"type":99}\u001e')
    expect(errors).toEqual([])
    expect(channel.state).toBe('open')
  })

  it('gives null where a server leaves out an empty body', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.on('A', (body) => got.push(body))
    world.network.socket.receive(foreignMessage('A', undefined))
    expect(got).toEqual([null])
  })

  it.each([
    ['a message without a header', '{"type":1,"target":"ServerMessage","arguments":[{"Id":"1","Body":1}]}'],
    ['a message that is text', '{"type":1,"target":"ServerMessage","arguments":["text"]}'],
    ['no arguments', '{"type":1,"target":"ServerMessage"}'],
    ['no target', '{"type":1,"arguments":[]}'],
    ['a state without an offset', '{"type":1,"target":"ChannelState","arguments":[{"epoch":"e"}]}'],
  ])('with %s is reported, and what comes after is handled', async (_name, record) => {
    const channel = await world.opened()
    const codes: string[] = []
    const got: Message[] = []
    channel.onError(({ code }) => codes.push(code))
    channel.onMessage((message) => got.push(message))
    world.network.socket.receive(`${record}\u001e${serverMessage('A', 1, 'e:1')}`)
    expect(codes).toEqual(['protocol_broken'])
    expect(got.map(({ Body }) => Body)).toEqual([1])
  })

  it.each([
    ['text that is not JSON', 'not JSON\u001e'],
    ['JSON that is no object', '5\u001e'],
    ['null', 'null\u001e'],
    ['binary data', new Uint8Array(3)],
  ])('with %s ends the connection, and another is made', async (_name, data) => {
    const channel = await world.opened()
    const codes: string[] = []
    channel.onError(({ code }) => codes.push(code))
    world.network.socket.receive(data)
    expect(codes).toEqual(['protocol_broken'])
    expect(channel.state).toBe('reconnecting')
    expect(world.network.socket.isLive).toBe(false)
    await world.untilNextSocket()
    world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    expect(channel.state).toBe('open')
  })
})
