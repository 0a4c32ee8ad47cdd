// oxlint-disable typescript/unbound-method -- handlers with their scope beside them are what is tested.
import { beforeEach, describe, expect, it } from 'vitest'
import type { Message } from '../src/index.ts'
import { createTerrasoft, installTerrasoft, type ServerChannelOptions, type Terrasoft } from '../src/terrasoft.ts'
import { settle } from './fake-clock.ts'
import { World } from './harness.ts'
import { MemoryStorage } from './memory-storage.ts'
import { CLOSE, channelOwner, channelState, hubMessage, serverMessage } from './wire.ts'

let world: World
let options: ServerChannelOptions

beforeEach(() => {
  world = new World()
  options = { ...world.options, url: 'http://host.test/msg', log: () => {} }
})

/** Terrasoft names over a connection that is open. */
async function opened(more: ServerChannelOptions = {}): Promise<Terrasoft> {
  const terrasoft = createTerrasoft({ ...options, ...more })
  terrasoft.ServerChannel.init()
  await settle()
  world.network.socket.shakeHands(channelState('e', 0))
  return terrasoft
}

async function reconnect(answer: string): Promise<void> {
  world.network.socket.drop()
  await world.untilNextSocket()
  world.network.socket.shakeHands(answer)
}

describe("the original's lines", () => {
  it('work to the letter', async () => {
    const { ServerChannel, EventName } = await opened()
    const Terrasoft = { ServerChannel, EventName }
    const values: unknown[] = []
    let scopes = 0
    const page = {
      init() {
        Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this)
      },
      onServerMessageReceived(scope: unknown, message: Message) {
        const sender = message && message.Header.Sender
        if (sender === 'SomeMessageId') {
          values.push(message.Body)
          if (scope === Terrasoft.ServerChannel && this === page) scopes++
        }
      },
      destroy() {
        Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this)
      },
    }
    page.init()
    const { socket } = world.network
    socket.receive(serverMessage('SomeMessageId', 'My message value', 'e:1'))
    socket.receive(serverMessage('AnotherId', 'not for this page', 'e:2'))
    socket.receive(serverMessage('SomeMessageId', ['a', 'list'], 'e:3'))
    page.destroy()
    socket.receive(serverMessage('SomeMessageId', 'after destroy', 'e:4'))
    expect(values).toEqual(['My message value', ['a', 'list']])
    expect(scopes).toBe(2)
  })
})

describe('the connection', () => {
  it('is not begun before it is needed', async () => {
    const { ServerChannel, SocketConnectionState } = createTerrasoft(options)
    await settle()
    expect(world.network.sockets).toHaveLength(0)
    expect(ServerChannel.getConnectionState()).toBe(SocketConnectionState.NOT_INITIALIZED)
    expect(ServerChannel.isOpened).toBe(false)
  })

  it.each(['on', 'addListener'] as const)('is begun by the first %s, once', async (method) => {
    const { ServerChannel } = createTerrasoft(options)
    ServerChannel[method]('message', () => {})
    ServerChannel[method]('opened', () => {})
    await settle()
    expect(world.network.sockets).toHaveLength(1)
  })

  it('has the state and isOpened of the original', async () => {
    const { ServerChannel, SocketConnectionState } = createTerrasoft(options)
    const states = (): unknown[] => [ServerChannel.getConnectionState(), ServerChannel.isOpened]
    ServerChannel.init()
    expect(states()).toEqual([SocketConnectionState.CONNECTING, false])
    await settle()
    world.network.socket.shakeHands(channelState('e', 0))
    expect(states()).toEqual([SocketConnectionState.OPEN, true])
    world.network.socket.drop()
    expect(states()).toEqual([SocketConnectionState.CONNECTING, false])
    await ServerChannel.close()
    expect(states()).toEqual([SocketConnectionState.CLOSED, false])
  })

  it('is one, and a message is one call, however often init() is called', async () => {
    const { ServerChannel } = await opened()
    const bodies: unknown[] = []
    ServerChannel.on('message', (_channel, { Body }) => bodies.push(Body))
    const expected: number[] = []
    for (let drop = 1; drop <= 20; drop++) {
      ServerChannel.init()
      ServerChannel.init()
      world.network.socket.receive(serverMessage('A', drop, `e:${drop}`))
      expected.push(drop)
      world.network.socket.drop()
      ServerChannel.init()
      ServerChannel.init()
      await settle()
      world.network.socket.shakeHands(channelState('e', drop, { recovered: true }))
    }
    expect(bodies).toEqual(expected)
    expect(world.network.sockets).toHaveLength(21)
    expect(world.network.liveMax).toBe(1)
  })

  it('is begun anew by init() after the server closed it, from the same position', async () => {
    const { ServerChannel } = await opened()
    ServerChannel.on('error', () => {})
    world.network.socket.receive(serverMessage('A', 1, 'e:7') + CLOSE)
    expect(ServerChannel.getConnectionState()).toBe(3)
    ServerChannel.on('message', () => {})
    await settle()
    expect(world.network.sockets).toHaveLength(1)
    ServerChannel.init()
    await settle()
    expect(world.network.socket.position).toBe('e:7')
  })

  it('is that of a user of the development mode', async () => {
    createTerrasoft({ ...options, user: 'ann & bob' }).ServerChannel.init()
    createTerrasoft({ ...options, url: 'http://host.test/msg?x=1' }).ServerChannel.init({ user: 'ann' })
    await settle()
    expect(world.network.sockets.map(({ url }) => [...url.searchParams])).toEqual([
      [
        ['user', 'ann & bob'],
        ['position', ''],
      ],
      [
        ['x', '1'],
        ['user', 'ann'],
        ['position', ''],
      ],
    ])
  })

  it('goes on as another user from the same position, with the same handlers', async () => {
    const { ServerChannel } = await opened()
    const bodies: unknown[] = []
    ServerChannel.on('message', (_channel, { Body }) => bodies.push(Body))
    world.network.socket.receive(serverMessage('A', 1, 'e:1'))
    const old = world.network.socket
    ServerChannel.init({ user: 'ann' })
    await settle()
    const { socket } = world.network
    expect([old.isLive, socket.position, socket.url.searchParams.get('user')]).toEqual([false, 'e:1', 'ann'])
    ServerChannel.init({ user: 'ann' })
    ServerChannel.init()
    await settle()
    expect(world.network.sockets).toHaveLength(2)
    old.receive(serverMessage('A', 'late', 'e:2'))
    socket.shakeHands(serverMessage('A', 2, 'e:2') + channelState('e', 2, { recovered: true }))
    expect(bodies).toEqual([1, 2])
    expect(world.network.liveMax).toBe(1)
  })

  it('keeps the position of whom it goes on as, for the next page', async () => {
    const tab = new MemoryStorage()
    world.kept.set('tab', tab)
    const kept = (): string | null => tab.getItem('serverchannel http://host.test/msg position')
    const { ServerChannel } = await opened()
    world.network.socket.receive(channelOwner('owner of ann') + serverMessage('A', 1, 'e:1'))
    await world.clock.pass(1_000)
    expect(kept()).toBe('owner of ann e:1')
    ServerChannel.init({ user: 'bob' })
    await settle()
    const { searchParams } = world.network.socket.url
    expect([searchParams.get('position'), searchParams.get('owner')]).toEqual(['e:1', ''])
    world.network.socket.shakeHands(channelOwner('owner of bob') + channelState('e', 2, { recovered: true }))
    await world.clock.pass(1_000)
    expect(kept()).toBe('owner of bob e:2')
  })

  it('may be a channel that is there already', async () => {
    const channel = await world.opened()
    const { ServerChannel } = createTerrasoft(channel)
    expect(ServerChannel.isOpened).toBe(true)
    const bodies: unknown[] = []
    ServerChannel.on('message', (_channel, { Body }) => bodies.push(Body))
    ServerChannel.init()
    world.network.socket.receive(serverMessage('A', 1, 'e:1'))
    expect(bodies).toEqual([1])
    expect(world.network.sockets).toHaveLength(1)
    expect(() => ServerChannel.init({ user: 'ann' })).toThrow(TypeError)
  })
})

describe('the events', () => {
  it('opened fires at each connection, with what became of the messages that were missed', async () => {
    const { ServerChannel, EventName } = createTerrasoft(options)
    const got: unknown[] = []
    ServerChannel.on(EventName.ON_CONNECTION_INITIALIZED, (channel, recovery) =>
      got.push([channel === ServerChannel, recovery]),
    )
    await settle()
    world.network.socket.shakeHands(channelState('e', 0))
    await reconnect(channelState('e', 3, { recovered: true }))
    await reconnect(channelState('f', 0, { recovered: false, reason: 'epoch-changed' }))
    expect(got).toEqual([
      [true, {}],
      [true, { recovered: true }],
      [true, { recovered: false, reason: 'epoch-changed' }],
    ])
  })

  it('opened fires again where history is lost while the connection is open', async () => {
    const { ServerChannel } = await opened()
    const got: unknown[] = []
    ServerChannel.on('opened', (_channel, recovery) => got.push(recovery))
    world.network.socket.receive(channelState('f', 0, { recovered: false, reason: 'epoch-changed' }))
    world.network.socket.receive(channelState('f', 9))
    expect(got).toEqual([{ recovered: false, reason: 'epoch-changed' }])
  })

  it('closed fires once for each loss, and for the end', async () => {
    const { ServerChannel, EventName } = await opened()
    const got: unknown[] = []
    ServerChannel.on(EventName.ON_CHANNEL_CLOSED, (channel, { error, reconnects }) =>
      got.push([channel === ServerChannel, error?.code, reconnects]),
    )
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.shakeHands(channelState('e', 0, { recovered: true }))
    await ServerChannel.close()
    expect(got).toEqual([
      [true, 'connection_lost', true],
      [true, undefined, false],
    ])
  })

  it('error fires with everything that goes wrong', async () => {
    const { ServerChannel, EventName } = await opened()
    const got: unknown[] = []
    ServerChannel.on(EventName.ON_ERROR, (channel, error) => got.push([channel === ServerChannel, error.code]))
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.accept()
    world.network.socket.receive('{"error":"No."}\u001e')
    expect(got).toEqual([
      [true, 'connection_lost'],
      [true, 'handshake_refused'],
    ])
    expect(world.reported).toEqual([])
  })

  it('error for good is reported where nobody listens', async () => {
    await opened()
    world.network.socket.receive(hubMessage({ type: 7, error: 'No.' }))
    expect(world.reported).toMatchObject([{ code: 'closed_by_server' }])
  })

  it('message stops at a handler that returns false', async () => {
    const { ServerChannel } = await opened()
    const got: string[] = []
    ServerChannel.on('message', () => {
      got.push('first')
      return false
    })
    ServerChannel.on('message', () => got.push('second'))
    world.network.socket.receive(serverMessage('A', 1, 'e:1'))
    expect(got).toEqual(['first'])
  })

  it.each([
    ['', 'null', '5', 'abc', '{"id":42}', '😀', '\ud83d'],
    [[1, 2], { id: 42 }, null, 0, false],
  ])('message brings bodies as they were posted: %j …', async (...bodies) => {
    const { ServerChannel } = await opened()
    const got: unknown[] = []
    ServerChannel.on('message', (_channel, { Body }) => got.push(Body))
    bodies.forEach((body, n) => world.network.socket.receive(serverMessage('A', body, `e:${n + 1}`)))
    expect(got).toEqual(bodies)
  })
})

describe('the other members', () => {
  it('getSenderName gives the message id that was posted', () => {
    const { ServerChannel } = createTerrasoft(options)
    expect(ServerChannel.getSenderName({ Id: '1', Header: { Sender: 'A' }, Body: 1 })).toBe('A')
  })

  it('createMessageObject gives an empty message with an id of its own', () => {
    const { ServerChannel } = createTerrasoft(options)
    const [first, second] = [ServerChannel.createMessageObject(), ServerChannel.createMessageObject()]
    expect(first).toEqual({ Id: first.Id, Header: { Sender: '', BodyTypeName: '' }, Body: null })
    expect(first.Id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(second.Id).not.toBe(first.Id)
  })

  it('the constants are those of the original', () => {
    const { EventName, ServerChannelSender, SocketConnectionState } = createTerrasoft(options)
    expect(EventName).toEqual({
      ON_MESSAGE: 'message',
      ON_CONNECTION_INITIALIZED: 'opened',
      ON_CHANNEL_CLOSED: 'closed',
      ON_ERROR: 'error',
    })
    expect(ServerChannelSender).toEqual({
      CONSOLE_COMMAND: 'ConsoleCommand',
      BROADCAST_MESSAGE: 'BroadcastMsg',
      COMMAND_SERVICE: 'CommandService',
      PTP_MESSAGE: 'PTPMsg',
    })
    expect(SocketConnectionState).toEqual({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3, NOT_INITIALIZED: 4 })
  })
})

describe('installTerrasoft', () => {
  it('makes a global where there is none, under the name that is asked for', () => {
    const target: Record<string, unknown> = {}
    expect(installTerrasoft(target, options)).toBe(target.Terrasoft)
    expect(installTerrasoft(target, { ...options, name: 'BPMSoft' })).toBe(target.BPMSoft)
    expect(Object.keys(target)).toEqual(['Terrasoft', 'BPMSoft'])
    expect(world.network.sockets).toHaveLength(0)
  })

  it('leaves what is there as it is and adds what it lacks', () => {
    const theirs = { Configuration: {}, EventName: { ON_MESSAGE: 'theirs', ON_OTHER: 'other' } }
    const target = { Terrasoft: theirs }
    const terrasoft = installTerrasoft(target, options)
    expect(target.Terrasoft).toBe(theirs)
    expect(terrasoft).toBe(theirs)
    expect(theirs.EventName).toEqual({
      ON_MESSAGE: 'theirs',
      ON_OTHER: 'other',
      ON_CONNECTION_INITIALIZED: 'opened',
      ON_CHANNEL_CLOSED: 'closed',
      ON_ERROR: 'error',
    })
    expect(terrasoft.ServerChannel.getConnectionState()).toBe(4)
  })

  it('changes nothing when it is called again, or where there is a ServerChannel of others', () => {
    const target = {}
    const { ServerChannel } = installTerrasoft(target, options)
    expect(installTerrasoft(target, options).ServerChannel).toBe(ServerChannel)
    const others = { Terrasoft: { ServerChannel: { on() {} } } }
    const { ServerChannel: theirs } = others.Terrasoft
    installTerrasoft(others, options)
    expect(others.Terrasoft.ServerChannel).toBe(theirs)
    expect(Object.keys(theirs)).toEqual(['on'])
  })

  it('takes a channel that is there already', async () => {
    const channel = await world.opened()
    expect(installTerrasoft({}, { channel }).ServerChannel.isOpened).toBe(true)
  })
})
