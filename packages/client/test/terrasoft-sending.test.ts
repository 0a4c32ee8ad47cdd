// oxlint-disable unicorn/require-post-message-target-origin -- a ServerChannel's postMessage, not a window's.
// What `ServerChannel` says to the server, and what it makes of the platform's own senders. PARITY 2.1.
import { beforeEach, describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { TerrasoftScene } from './terrasoft-scene.ts'
import { CLOSE, channelState } from './wire.ts'

let scene: TerrasoftScene

beforeEach(() => {
  scene = new TerrasoftScene()
})

/** What the handlers of an event got, but for the channel, which is checked. */
function heard(event: string): unknown[] {
  const got: unknown[] = []
  scene.channel.on(event, (channel: unknown, detail: unknown) => {
    got.push(channel === scene.channel ? detail : 'a wrong channel')
  })
  return got
}

describe('ping()', () => {
  it('writes pong to the console when the server answers', async () => {
    await scene.open()
    scene.lines.length = 0
    scene.channel.ping()
    await settle()
    expect(scene.calls).toMatchObject([{ target: 'Ping', arguments: [] }])
    expect(scene.lines).toEqual([])
    await scene.answer({ result: 'Pong!' })
    expect(scene.lines).toEqual(['pong'])
  })

  it('says what is wrong where there is no answer', async () => {
    scene.channel.ping()
    scene.channel.init()
    scene.channel.ping()
    await settle()
    expect(scene.lines).toEqual(['No pong: there is no connection.', 'No pong: there is no connection.'])
    await scene.open()
    scene.channel.ping()
    await settle()
    await scene.answer({ error: 'Nothing of that name.' })
    scene.channel.ping()
    await settle()
    scene.world.network.socket.drop()
    await settle()
    expect(scene.lines.slice(3)).toEqual([
      'No pong: ChannelError: Nothing of that name.',
      'No pong: ChannelError: Connection lost (1006).',
    ])
  })
})

describe('sending', () => {
  it('postMessage calls SendMessage with the message, and is done when the server is', async () => {
    await scene.open()
    const message = scene.channel.createMessageObject()
    message.Header.Sender = 'Draft'
    message.Body = [1, { two: '😀' }]
    let isDone = false
    const sending = scene.channel.postMessage(message).then(() => {
      isDone = true
    })
    await settle()
    expect(scene.calls).toMatchObject([{ target: 'SendMessage', arguments: [message] }])
    expect(isDone).toBe(false)
    await scene.answer({})
    await sending
  })

  it('postRawMessage calls SendRawMessage with the text', async () => {
    await scene.open()
    void scene.channel.postRawMessage('{"Header":{"Sender":"A"}}')
    await settle()
    expect(scene.calls).toMatchObject([{ target: 'SendRawMessage', arguments: ['{"Header":{"Sender":"A"}}'] }])
  })

  it('broadcastMessage sends the object as JSON text under BroadcastMsg', async () => {
    await scene.open()
    void scene.channel.broadcastMessage({ event: 'SavedDetailWizard', id: 7 })
    await settle()
    const [message] = scene.calls[0]?.arguments ?? []
    expect(message).toEqual({
      Id: expect.stringMatching(/^[\da-f-]{36}$/) as string,
      Header: { Sender: 'BroadcastMsg', BodyTypeName: 'System.String' },
      Body: '{"event":"SavedDetailWizard","id":7}',
    })
    expect(scene.channel.getBroadcastMessage({ event: 'SavedDetailWizard', id: 7 })).toEqual({
      ...(message as object),
      Id: expect.stringMatching(/^[\da-f-]{36}$/) as string,
    })
  })

  it('waits for a connection that is on its way, and begins one', async () => {
    void scene.channel.postMessage({ Header: { Sender: 'A' } })
    await settle()
    expect(scene.world.network.sockets).toHaveLength(1)
    scene.world.network.socket.shakeHands()
    expect(scene.calls).toEqual([])
    scene.world.network.socket.receive(channelState('e', 0))
    await settle()
    expect(scene.calls).toMatchObject([{ target: 'SendMessage' }])
  })

  it('waits ten seconds and no longer', async () => {
    const sending = scene.channel.postMessage({ Header: { Sender: 'A' } })
    const outcome = sending.then(
      () => 'sent',
      (error: unknown) => error,
    )
    await scene.world.clock.pass(10_000)
    expect(await outcome).toMatchObject({ code: 'connection_failed', message: 'No connection for 10000 ms.' })
  })

  it('that is refused fires error, and rejects for those who wait', async () => {
    await scene.open()
    const errors = heard('error')
    const sending = scene.channel.postMessage({ Header: { Sender: 'CommandService' } })
    await settle()
    await scene.answer({ error: 'HubException: sender_reserved: Only the server sends under it.' })
    await expect(sending).rejects.toMatchObject({
      code: 'call_failed',
      message: expect.stringContaining('sender_reserved') as string,
    })
    expect(errors).toMatchObject([{ code: 'call_failed' }])
  })

  it('that fails is written to the console where nobody listens for errors, and ends nothing', async () => {
    await scene.open()
    void scene.channel.postMessage({ Header: { Sender: 'A' } })
    await settle()
    await scene.answer({ error: 'No.' })
    const circular: { self?: unknown } = {}
    circular.self = circular
    void scene.channel.postMessage({ Header: { Sender: 'A' }, Body: circular })
    await settle()
    expect(scene.lines.slice(1)).toEqual([
      'A message was not sent: No.',
      expect.stringMatching(/^A message was not sent: .*circular/) as string,
    ])
  })

  it('is not done again when the connection comes back: nobody knows whether it was', async () => {
    await scene.open()
    const sending = scene.channel.postMessage({ Header: { Sender: 'A' } })
    const outcome = sending.catch((error: unknown) => error)
    await settle()
    await scene.reopen()
    await settle()
    expect(scene.calls).toEqual([])
    expect(await outcome).toMatchObject({ code: 'connection_lost' })
  })
})

describe("the platform's senders", () => {
  it.each([['BroadcastMsg'], ['PTPMsg']])(
    '%s fires its own event with the decoded body, and no message',
    async (sender) => {
      await scene.open()
      const [messages, own] = [heard('message'), heard(sender)]
      const bodies = ['{"event":"X"}', '"text"', 'no JSON', '', '{"open":', 5, [1], null]
      for (const body of bodies) scene.receive(sender, body)
      expect(own).toEqual([{ event: 'X' }, 'text', 'no JSON', '', '{"open":', 5, [1], null])
      expect(messages).toEqual([])
    },
  )

  it('CommandService is written to the console and is a message too', async () => {
    await scene.open()
    const messages = heard('message')
    scene.lines.length = 0
    scene.receive('CommandService', 'pong')
    expect(scene.lines).toEqual(['Server said: pong'])
    expect(messages).toMatchObject([{ Header: { Sender: 'CommandService' }, Body: 'pong' }])
  })

  it('a handler of CommandService that throws is reported, and the others run', async () => {
    await scene.open()
    const error = new Error('handler')
    scene.channel.on('message', () => {
      throw error
    })
    const messages = heard('message')
    scene.receive('CommandService', 'pong')
    expect(scene.world.reported).toEqual([error])
    expect(messages).toHaveLength(1)
  })

  it.each(['broadcastmsg', 'ConsoleCommand', 'ServerMsg', 'ProcessEngine', 'Order'])(
    '%s is a message like any other',
    async (sender) => {
      await scene.open()
      const [messages, broadcast, own] = [heard('message'), heard('BroadcastMsg'), heard('PTPMsg')]
      scene.receive(sender, '{"a":1}')
      expect([messages.length, broadcast.length, own.length]).toEqual([1, 0, 0])
      expect(messages).toMatchObject([{ Header: { Sender: sender }, Body: '{"a":1}' }])
    },
  )
})

describe('the log', () => {
  it('says at each connection where it leads, without what may be secret', async () => {
    await scene.open()
    await scene.reopen()
    const line = expect.stringMatching(/^SignalR hub connected for url: (?:ws|http):\/\/host\.test\/msg$/) as string
    expect(scene.lines).toEqual([line, line])
  })
})

describe('reconnectCount', () => {
  it('counts the attempts since the connection was last open', async () => {
    await scene.open()
    scene.channel.on('error', () => {})
    expect(scene.channel.reconnectCount).toBe(0)
    for (let failures = 1; failures <= 3; failures++) {
      scene.world.network.socket.drop()
      expect(scene.channel.reconnectCount).toBe(failures)
      await scene.world.untilNextSocket()
    }
    scene.world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    expect(scene.channel.reconnectCount).toBe(0)
  })

  it('beyond maxReconnectCount closes the channel, until another init()', async () => {
    await scene.open()
    expect(scene.channel.maxReconnectCount).toBe(Infinity)
    scene.channel.maxReconnectCount = 2
    scene.channel.on('error', () => {})
    const closed = heard('closed')
    for (let failures = 1; failures <= 2; failures++) {
      scene.world.network.socket.drop()
      await scene.world.untilNextSocket()
    }
    expect(scene.channel.getConnectionState()).toBe(0)
    scene.world.network.socket.drop()
    expect(scene.channel.getConnectionState()).toBe(3)
    expect(scene.lines.at(-1)).toBe('No connection after 2 attempts. Reload page.')
    expect(closed).toMatchObject([{ reconnects: true }, { reconnects: false }])
    const { length } = scene.world.network.sockets
    await scene.world.clock.pass(120_000)
    expect(scene.world.network.sockets).toHaveLength(length)
    scene.channel.init()
    await settle()
    expect(scene.world.network.sockets).toHaveLength(length + 1)
    expect(scene.channel.reconnectCount).toBe(0)
  })

  it('leaves out what is wrong with a connection that is open, and an end for good', async () => {
    await scene.open()
    scene.channel.on('error', () => {})
    scene.world.network.socket.receive('{"type":1,"target":"ServerMessage","arguments":[5]}\u001e')
    scene.world.network.socket.receive(CLOSE)
    expect(scene.channel.reconnectCount).toBe(0)
  })

  it('has its first wait bounded by reconnectTimeout', async () => {
    scene.channel.reconnectTimeout = 50
    await scene.open()
    scene.world.network.socket.drop()
    expect(scene.world.clock.nextMs).toBeLessThanOrEqual(50)
    expect(new TerrasoftScene({ reconnectDelayMs: 7 }).channel.reconnectTimeout).toBe(7)
  })
})

describe('BaseServerChannelResponse', () => {
  it.each([
    ['{"id":42}', { id: 42 }],
    ['"text"', 'text'],
    ['null', null],
    ['5', 5],
    ['My message value', 'My message value'],
    ['', ''],
    [
      [1, 2],
      [1, 2],
    ],
  ])('gives the body %j as %j', (body, value) => {
    const { BaseServerChannelResponse } = scene.terrasoft
    const message = { Id: '1', Header: { Sender: 'Order' }, Body: body }
    const response = new BaseServerChannelResponse({ message })
    expect(response.getMessage()).toEqual(value)
    expect(response.getSender()).toBe('Order')
    expect([response.validateSender('Order'), response.validateSender('order')]).toEqual([true, false])
    // oxlint-disable-next-line new-cap -- called without new, as some pages do
    const called = BaseServerChannelResponse({ message })
    expect(called.getMessage()).toEqual(value)
    expect(called).toBeInstanceOf(BaseServerChannelResponse)
  })
})
