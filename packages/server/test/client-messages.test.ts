import { describe, expect, it } from 'vitest'
import { allConnections, type ClientMessagePolicy, ownConnections } from '../src/channel/client-message.ts'
import { createServerChannel } from '../src/server.ts'
import type { ChannelCallsInit } from './channel-calls.ts'
import { type HubClient, type HubScene, openHub } from './hub-scene.ts'

type Application = Pick<ChannelCallsInit, 'policy' | 'onError'>

interface Sent {
  readonly Id: string
  readonly Header: { readonly Sender: string }
  readonly Body: unknown
}

/** What the client was told as messages. */
function messagesOf({ transport }: HubClient): Sent[] {
  return transport.records.flatMap((record) => {
    const { target, arguments: args = [] } = JSON.parse(record) as { target?: string; arguments?: Sent[] }
    return target === 'ServerMessage' ? args : []
  })
}

let calls = 0

/** Calls a method, and gives its result, or the error's text without what always stands before it. */
async function call({ clock }: HubScene, { transport }: HubClient, target: string, ...args: unknown[]) {
  const invocationId = String(++calls)
  transport.send(`${JSON.stringify({ type: 1, invocationId, target, arguments: args })}\x1e`)
  await clock.settle()
  return answerTo(transport.records, invocationId)
}

function answerTo(records: readonly string[], invocationId: string): unknown {
  const answers = records.map(
    (record) => JSON.parse(record) as { invocationId?: string; error?: string; result?: unknown },
  )
  const found = answers.find((answer) => answer.invocationId === invocationId)
  if (!found) return 'no answer'
  return found.error?.replace(/^.*? HubException: /, '') ?? found.result
}

const message = (sender: string, body: unknown = null, header = {}): object => ({
  Header: { Sender: sender, ...header },
  Body: body,
})

async function scene(policy?: ClientMessagePolicy, onError?: Application['onError']) {
  return openHub({}, { ...(policy ? { policy } : {}), ...(onError ? { onError } : {}) })
}

describe('a message of a client', () => {
  it('goes to nobody without a policy, and its sender is told so', async () => {
    const hub = await scene()
    const [ann, bob] = [
      hub.connect('a', { identity: { user: 'ann' } }),
      hub.connect('b', { identity: { user: 'ann' } }),
    ]
    for (const sender of ['BroadcastMsg', 'PTPMsg', 'ServerMsg', 'OrderChanged', '__proto__', 'constructor']) {
      expect(await call(hub, ann, 'SendMessage', message(sender))).toBe(
        `message_refused: The server takes no messages of the sender '${sender}' from you.`,
      )
    }
    expect([messagesOf(ann), messagesOf(bob), hub.channel.position]).toEqual([[], [], 'epoch-1:0'])
  })

  it('goes to whom the policy says, stamped with who sent it, and into the log', async () => {
    const asked: unknown[] = []
    const hub = await scene((given) => {
      asked.push(given)
      return { groups: 'sales' }
    })
    const ann = hub.connect('a', { identity: { user: 'ann', groups: ['staff'] } })
    const bob = hub.connect('b', { identity: { user: 'bob', groups: ['sales'] } })
    const sent = { Id: 'my-1', Header: { Sender: 'Chat', BodyTypeName: 'T', ChannelType: 'C' }, Body: { a: [1] } }
    expect(await call(hub, ann, 'SendMessage', sent)).toBe(null)
    const caller = { user: 'ann', groups: ['staff'], connectionId: 'a' }
    expect(asked).toEqual([
      { id: 'my-1', sender: 'Chat', bodyTypeName: 'T', channelType: 'C', body: { a: [1] }, ...caller },
    ])
    const arrived = {
      ...sent,
      Header: { ...sent.Header, SentBy: { User: 'ann', ConnectionId: 'a' } },
      Position: 'epoch-1:1',
    }
    expect(messagesOf(bob)).toEqual([arrived])
    expect(messagesOf(ann)).toEqual([])
    const late = hub.connect('c', { identity: { groups: ['sales'] }, position: 'epoch-1:0' })
    await hub.clock.settle()
    expect(messagesOf(late)).toEqual([arrived])
  })

  it('says of a client without a user only its connection', async () => {
    const hub = await scene(() => 'all')
    const ann = hub.connect('a')
    await call(hub, ann, 'SendMessage', message('Chat', 1))
    expect(messagesOf(ann)).toMatchObject([{ Header: { Sender: 'Chat', SentBy: { ConnectionId: 'a' } } }])
    expect(JSON.stringify(messagesOf(ann))).not.toContain('User')
  })

  it('can say nothing of who sent it or of where it is, whatever the client writes', async () => {
    const hub = await scene(() => 'all')
    const ann = hub.connect('a', { identity: { user: 'ann' } })
    const SentBy = { User: 'admin', ConnectionId: 'z' }
    const forged = { ...message('Chat', 1, { SentBy, sentBy: SentBy }), SentBy, sentBy: SentBy, Position: 'epoch-1:99' }
    await call(hub, ann, 'SendMessage', forged)
    await call(hub, ann, 'SendRawMessage', JSON.stringify(forged))
    await call(hub, ann, 'Echo', forged)
    const [first, second, echo] = messagesOf(ann)
    for (const [index, arrived] of [first, second].entries()) {
      expect(arrived).toEqual({
        Id: expect.any(String),
        Header: { Sender: 'Chat', SentBy: { User: 'ann', ConnectionId: 'a' } },
        Body: 1,
        Position: `epoch-1:${index + 1}`,
      })
    }
    expect(echo).toEqual({ Id: expect.any(String), Header: { Sender: 'Chat' }, Body: 1 })
  })

  it("can't take the idempotency key of a post", async () => {
    const hub = await scene(() => 'all')
    const ann = hub.connect('a')
    for (const body of [1, 2]) await call(hub, ann, 'SendMessage', { Id: 'order-42', ...message('Chat', body) })
    await hub.channel.post([{ sender: 'OrderChanged', body: 3, id: 'order-42' }])
    await hub.clock.settle()
    expect(messagesOf(ann).map(({ Body }) => Body)).toEqual([1, 2, 3])
  })

  it.each(['CommandService', 'ProcessEngine'])(
    'is refused under %s, which is the server, whatever the policy says',
    async (sender) => {
      const hub = await scene(() => 'all')
      const ann = hub.connect('a')
      const refused = `sender_reserved: Only the server sends under '${sender}'; use another sender.`
      expect(await call(hub, ann, 'SendMessage', message(sender))).toBe(refused)
      expect(await call(hub, ann, 'SendRawMessage', JSON.stringify(message(sender)))).toBe(refused)
      expect(await call(hub, ann, 'Echo', message(sender))).toBe(refused)
      expect(messagesOf(ann)).toEqual([])
      expect(hub.channel.position).toBe('epoch-1:0')
    },
  )

  it('may be written in camelCase, as .NET does', async () => {
    const hub = await scene(() => 'all')
    const ann = hub.connect('a')
    const sent = { id: 'x', header: { sender: 'Chat', bodyTypeName: 'T', channelType: null }, body: [1] }
    expect(await call(hub, ann, 'SendMessage', sent)).toBe(null)
    expect(messagesOf(ann)).toMatchObject([{ Id: 'x', Header: { Sender: 'Chat', BodyTypeName: 'T' }, Body: [1] }])
  })

  const needs = (path: string, from: number, is: string) =>
    `'${path}' needs to be a string of ${from} to 256 characters; it is ${is}.`

  it.each<[string, unknown, string]>([
    ['null', null, "message_invalid: A message is an object with 'Header' and 'Body', not null."],
    ['a list', [], "message_invalid: A message is an object with 'Header' and 'Body', not an array."],
    ['a text', 'x', "message_invalid: A message is an object with 'Header' and 'Body', not a string of 1."],
    ['no header', {}, "message_invalid: 'Header' needs to be an object with 'Sender'; it is missing."],
    ['no sender', { Header: {} }, `sender_invalid: ${needs('Header.Sender', 1, 'missing')}`],
    ['an empty sender', message(''), `sender_invalid: ${needs('Header.Sender', 1, 'a string of 0')}`],
    ['a long sender', message('x'.repeat(257)), `sender_invalid: ${needs('Header.Sender', 1, 'a string of 257')}`],
    [
      'a sender that is a number',
      { Header: { Sender: 7 } },
      `sender_invalid: ${needs('Header.Sender', 1, 'of type number')}`,
    ],
    ['an id that is a number', { Id: 7, ...message('S') }, `id_invalid: ${needs('Id', 0, 'of type number')}`],
    [
      'a type that is a list',
      message('S', 1, { BodyTypeName: [] }),
      `message_invalid: ${needs('Header.BodyTypeName', 0, 'an array')}`,
    ],
    [
      'a long channel type',
      message('S', 1, { ChannelType: 'x'.repeat(257) }),
      `message_invalid: ${needs('Header.ChannelType', 0, 'a string of 257')}`,
    ],
  ])('is refused that is no message: %s', async (_, given, error) => {
    const hub = await scene(() => 'all')
    const ann = hub.connect('a')
    expect(await call(hub, ann, 'SendMessage', given)).toBe(error)
    expect(await call(hub, ann, 'Echo', given)).toBe(error)
    expect(await call(hub, ann, 'SendRawMessage', JSON.stringify(given))).toBe(error)
    expect(messagesOf(ann)).toEqual([])
  })

  it.each<[string, unknown, string]>([
    ['is no text', { Header: { Sender: 'S' } }, 'message_invalid: A raw message is JSON text, not of type object.'],
    ['is no JSON', '{"Header":', 'message_invalid: The raw message is not JSON.'],
    [
      'nests too deep',
      `{"Header":{"Sender":"S"},"Body":${'['.repeat(65)}${']'.repeat(65)}}`,
      'body_too_deep: The body nests deeper than 64 levels.',
    ],
    [
      'has a number that no value holds',
      '{"Header":{"Sender":"S"},"Body":[1e400]}',
      'body_not_json: A number in the body is infinite or none.',
    ],
  ])('is refused as raw text that %s', async (_, text, error) => {
    const hub = await scene(() => 'all')
    const ann = hub.connect('a')
    expect(await call(hub, ann, 'SendRawMessage', text)).toBe(error)
    expect(hub.channel.position).toBe('epoch-1:0')
  })

  it('may nest as deep as a posted one where it is raw', async () => {
    const hub = await scene(() => 'all')
    const ann = hub.connect('a')
    const text = `{"Header":{"Sender":"S"},"Body":${'['.repeat(64)}${']'.repeat(64)}}`
    expect(await call(hub, ann, 'SendRawMessage', text)).toBe(null)
    expect(JSON.stringify(messagesOf(ann)[0]?.Body)).toHaveLength(128)
  })

  it('that the store does not take is said to fail for now', async () => {
    const failures: unknown[] = []
    const hub = await scene(
      () => 'all',
      (error) => failures.push(error),
    )
    const ann = hub.connect('a')
    hub.store.appendError = new Error('disk full at /secret')
    const answer = await call(hub, ann, 'SendMessage', message('Chat'))
    expect(answer).toBe('store_failed: The store did not take the message; post it again with the same id.')
    expect(failures).toMatchObject([{ message: 'disk full at /secret' }])
  })
})

describe('a policy', () => {
  it.each(['all', null, {}])('is a function, not %j', async (policy) => {
    const clientMessagePolicy = policy as unknown as ClientMessagePolicy
    await expect(createServerChannel({ clientMessagePolicy })).rejects.toThrow(
      "'clientMessagePolicy' needs to be a function such as 'ownConnections', not ",
    )
  })

  it.each<[string, string | undefined, string | undefined, unknown, unknown]>([
    ['PTPMsg', undefined, 'ann', { users: 'ann' }, false],
    ['Draft', 'PTPMsg', 'ann', { users: 'ann' }, false],
    ['BroadcastMsg', undefined, 'ann', false, 'all'],
    ['Draft', 'BroadcastMsg', 'ann', false, 'all'],
    ['PTPMsg', undefined, undefined, false, false],
    ['BroadcastMsg', undefined, undefined, false, false],
    ['ptpmsg', undefined, 'ann', false, false],
    ['ServerMsg', 'ServerMsg', 'ann', false, false],
    ['OrderChanged', undefined, 'ann', false, false],
  ])('that is ready-made looks at sender and channel type: %s, %s from %s', (sender, channelType, user, own, all) => {
    const given = {
      id: 'i',
      sender,
      channelType,
      bodyTypeName: undefined,
      body: 1,
      user,
      groups: [],
      connectionId: 'c',
    }
    expect([ownConnections(given), allConnections(given)]).toEqual([own, all])
  })

  const INTERNAL = 'internal: Something went wrong inside the server; its log says what.'

  it.each<[string, ClientMessagePolicy, string]>([
    [
      'throws',
      () => {
        throw new Error('secret=1')
      },
      'secret=1',
    ],
    ['rejects', () => Promise.reject(new Error('secret=1')), 'secret=1'],
    [
      'gives no audience',
      () => ({ users: [7 as unknown as string] }),
      "The audience is not one. An id in 'users' is not a string.",
    ],
    [
      'gives true',
      () => true as unknown as 'all',
      "The audience is not one. It is 'all' or an object with users, groups or connections.",
    ],
  ])('that %s is an error inside, logged and not told', async (_, policy, logged) => {
    const failures: unknown[] = []
    const hub = await scene(policy, (error) => failures.push(error))
    const ann = hub.connect('a')
    expect(await call(hub, ann, 'SendMessage', message('Chat'))).toBe(INTERNAL)
    expect(failures).toMatchObject([{ message: logged }])
    expect(hub.channel.position).toBe('epoch-1:0')
  })

  it('that takes too long is given up, and what it says later counts for nothing', async () => {
    const failures: unknown[] = []
    let decide: (to: 'all') => void = () => {}
    const hub = await scene(
      () =>
        new Promise((resolve) => {
          decide = resolve
        }),
      (error) => failures.push(error),
    )
    const ann = hub.connect('a')
    expect(await call(hub, ann, 'SendMessage', message('Chat'))).toBe('no answer')
    hub.clock.advance(4999)
    await hub.clock.settle()
    expect(failures).toEqual([])
    hub.clock.advance(1)
    await hub.clock.settle()
    expect(answerTo(ann.transport.records, String(calls))).toBe(INTERNAL)
    expect(failures).toMatchObject([{ message: 'clientMessagePolicy took longer than 5000 ms.' }])
    decide('all')
    await hub.clock.settle()
    expect([hub.channel.position, hub.clock.timerCount]).toEqual(['epoch-1:0', 0])
  })

  it('that takes its time holds up the messages of that client only, in their order', async () => {
    const decisions: (() => void)[] = []
    const hub = await scene(({ sender }) =>
      sender === 'Slow' ? new Promise((resolve) => decisions.push(() => resolve('all'))) : 'all',
    )
    const [ann, bob] = [hub.connect('a'), hub.connect('b')]
    await call(hub, ann, 'SendMessage', message('Slow', 1))
    await call(hub, ann, 'SendMessage', message('Chat', 2))
    await call(hub, bob, 'SendMessage', message('Chat', 3))
    expect(messagesOf(bob).map(({ Body }) => Body)).toEqual([3])
    decisions[0]?.()
    await hub.clock.settle()
    expect(messagesOf(bob).map(({ Body }) => Body)).toEqual([3, 1, 2])
  })
})

describe('a receiver on the server', () => {
  it('gets what is for the server, by sender or channel type, and what the policy lets pass', async () => {
    const got: unknown[] = []
    const hub = await scene(({ sender }) => sender === 'Chat' && 'all')
    const off = hub.messages.receive((given, caller) => got.push([given.sender, given.body, caller]))
    const ann = hub.connect('a', { identity: { user: 'ann' } })
    const caller = { user: 'ann', groups: [], connectionId: 'a' }
    expect(await call(hub, ann, 'SendMessage', message('ServerMsg', 1))).toBe(null)
    expect(await call(hub, ann, 'SendMessage', message('Draft', 2, { ChannelType: 'ServerMsg' }))).toBe(null)
    expect(await call(hub, ann, 'SendMessage', message('Chat', 3))).toBe(null)
    expect(await call(hub, ann, 'SendMessage', message('Draft', 4))).toContain('message_refused')
    expect(got).toEqual([
      ['ServerMsg', 1, caller],
      ['Draft', 2, caller],
      ['Chat', 3, caller],
    ])
    expect(messagesOf(ann).map(({ Body }) => Body)).toEqual([3])
    off()
    off()
    expect(await call(hub, ann, 'SendMessage', message('ServerMsg', 5))).toContain('message_refused')
    expect(got).toHaveLength(3)
  })

  it('gets the senders that it names, and no others', async () => {
    const got: unknown[] = []
    const hub = await scene(() => false)
    hub.messages.receive(({ body }) => got.push(body), { senders: ['Draft', '__proto__'] })
    const ann = hub.connect('a')
    expect(await call(hub, ann, 'SendMessage', message('Draft', 1))).toBe(null)
    expect(await call(hub, ann, 'SendMessage', message('__proto__', 2))).toBe(null)
    expect(await call(hub, ann, 'SendMessage', message('ServerMsg', 3))).toContain('message_refused')
    expect(await call(hub, ann, 'SendMessage', message('CommandService', 4))).toContain('sender_reserved')
    expect(got).toEqual([1, 2])
  })

  it('that fails hinders neither the others nor the client', async () => {
    const failures: unknown[] = []
    const got: unknown[] = []
    const hub = await scene(undefined, (error, where) => failures.push([(error as Error).message, where]))
    hub.messages.receive(() => {
      throw new Error('at once')
    })
    hub.messages.receive(() => Promise.reject(new Error('late')))
    const off = hub.messages.receive(({ body }) => {
      got.push(['once', body])
      off()
    })
    hub.messages.receive(({ body }) => got.push(['always', body]))
    const ann = hub.connect('a')
    for (const body of [1, 2]) expect(await call(hub, ann, 'SendMessage', message('ServerMsg', body))).toBe(null)
    expect(got).toEqual([
      ['once', 1],
      ['always', 1],
      ['always', 2],
    ])
    const each = [
      ['at once', 'onClientMessage'],
      ['late', 'onClientMessage'],
    ]
    expect(failures).toEqual([...each, ...each])
  })

  it('gets nothing that the store did not take', async () => {
    const got: unknown[] = []
    const hub = await scene(() => 'all')
    hub.messages.receive((given) => got.push(given))
    hub.store.appendError = new Error('disk full')
    expect(await call(hub, hub.connect('a'), 'SendMessage', message('Chat'))).toContain('store_failed')
    expect(got).toEqual([])
  })
})

describe('the rate of a client', () => {
  it('is bounded for each connection, and what passes it is refused until time has passed', async () => {
    const hub = await openHub({ clientMessagesBurst: 3, clientMessagesPerSecond: 2 }, { policy: () => 'all' })
    const [ann, bob] = [hub.connect('a'), hub.connect('b')]
    const send = async (client: HubClient, method = 'SendMessage') => {
      const given = method === 'SendRawMessage' ? JSON.stringify(message('Chat')) : message('Chat')
      return (await call(hub, client, method, given)) === null
    }
    expect([await send(ann), await send(ann, 'Echo'), await send(ann, 'SendRawMessage'), await send(ann)]).toEqual([
      true,
      true,
      true,
      false,
    ])
    expect(await call(hub, ann, 'SendMessage', message('Chat'))).toBe(
      'too_many_messages: No more than 3 messages at once and 2 a second; wait a second.',
    )
    expect([await send(bob), await call(hub, ann, 'Ping')]).toEqual([true, 'Pong!'])
    hub.clock.advance(499)
    expect(await send(ann)).toBe(false)
    hub.clock.advance(1)
    expect([await send(ann), await send(ann)]).toEqual([true, false])
    hub.clock.advance(3_600_000)
    expect([await send(ann), await send(ann), await send(ann), await send(ann)]).toEqual([true, true, true, false])
  })

  it('counts what is no message too', async () => {
    const hub = await openHub({ clientMessagesBurst: 1, clientMessagesPerSecond: 1 })
    const ann = hub.connect('a')
    expect(await call(hub, ann, 'SendMessage', null)).toContain('message_invalid')
    expect(await call(hub, ann, 'SendMessage', null)).toContain('too_many_messages')
  })
})

describe('a command', () => {
  it.each<[unknown, string]>([
    ['ping', 'pong'],
    ['Ping', "There is no command 'Ping'. There is: ping."],
    ['', "There is no command ''. There is: ping."],
    ['x'.repeat(1000), `There is no command '${'x'.repeat(64)}'. There is: ping.`],
    [{ ping: 1 }, 'A command is a string. There is: ping.'],
  ])('%j is answered to its caller only', async (command, reply) => {
    const asked: unknown[] = []
    const hub = await scene((given) => {
      asked.push(given)
      return 'all'
    })
    const [ann, bob] = [
      hub.connect('a', { identity: { user: 'ann' } }),
      hub.connect('b', { identity: { user: 'ann' } }),
    ]
    expect(await call(hub, ann, 'SendMessage', message('ConsoleCommand', command))).toBe(null)
    const Header = { Sender: 'CommandService', BodyTypeName: 'System.String' }
    expect(messagesOf(ann)).toEqual([{ Id: expect.stringMatching(/./), Header, Body: reply }])
    expect([messagesOf(bob), asked, hub.channel.position]).toEqual([[], [], 'epoch-1:0'])
  })
})
