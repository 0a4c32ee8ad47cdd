import { type Check, expectEqual, expectMatch, improvement, recommended, required } from './check.ts'
import { Link } from './link.ts'
import { overAll } from './over-all.ts'

const SEPARATOR = '\x1e'

/** What breaks the protocol: its number, what is wrong with it, and the message. */
const broken: readonly (readonly [number: number, what: string, text: string])[] = [
  [1, 'is not JSON', '{"type":'],
  [2, 'is no object', '[6]'],
  [3, 'has no type', '{"target":"Echo","arguments":["x"]}'],
  [4, 'has a type that is a string', '{"type":"1","target":"Echo","arguments":["x"]}'],
  [5, 'is an invocation without a target', '{"type":1,"invocationId":"1","arguments":["x"]}'],
  [6, 'is an invocation with null for its target', '{"type":1,"invocationId":"1","target":null,"arguments":["x"]}'],
  [7, 'is an invocation without arguments', '{"type":1,"invocationId":"1","target":"Echo"}'],
  [8, 'has a number for its invocation id', '{"type":1,"invocationId":1,"target":"Echo","arguments":["x"]}'],
  [9, 'is a completion with a result and an error', '{"type":3,"invocationId":"1","result":1,"error":"x"}'],
  [
    10,
    'has a header whose value is no string',
    '{"type":1,"invocationId":"1","headers":{"a":1},"target":"Echo","arguments":["x"]}',
  ],
]

async function expectBroken(link: Link, text: string): Promise<void> {
  await link.wire.send(text + SEPARATOR)
  const close = await link.next('a Close message')
  expectEqual([close.type, close['allowReconnect']], [7, true], 'type and allowReconnect')
  expectMatch(String(close['error']), /^Connection closed with an error\.(?: .+)?$/s, 'error')
  await link.expectEnd(1000)
}

export const jsonChecks: readonly Check[] = [
  ...overAll(required, 'J1.1', 'never answers an invocation without an id, nor where it fails', async (link) => {
    const messages = [
      ['Echo', ['unasked']],
      ['NoSuchMethod', []],
      ['Echo', []],
      ['ThrowException', ['x']],
      ['Secret', []],
    ] as const
    for (const [target, args] of messages) await link.send({ type: 1, target, arguments: args })
    await link.expectSilence()
  }),
  ...overAll(required, 'J1.2', 'takes an empty invocation id for none', async (link) => {
    await link.send({ type: 1, invocationId: '', target: 'Echo', arguments: ['unasked'] })
    await link.send({ type: 1, invocationId: '', target: 'NoSuchMethod', arguments: [] })
    await link.expectSilence()
  }),
  ...overAll(required, 'J1.3', 'answers nothing and null with a result of null', async (link) => {
    await link.expectResult(null, 'VoidMethod')
    await link.expectResult(null, 'GetNull')
  }),
  required('J1.4', 'writes type, id and result of a completion in this order, the null too', async (scene) => {
    const link = await Link.open(scene)
    await link.wire.send('{"type":1,"invocationId":"7","target":"VoidMethod","arguments":[]}\x1e')
    const piece = await link.wire.next()
    expectEqual(piece?.data.toString(), '{"type":3,"invocationId":"7","result":null}\x1e')
  }),
  required('J1.5', 'takes headers, and ignores them', async (scene) => {
    const link = await Link.open(scene)
    const headers = { a: 'b', c: '' }
    await link.send({ type: 1, invocationId: '1', headers, target: 'Echo', arguments: ['x'] })
    await link.expect({ type: 3, invocationId: '1', result: 'x' })
  }),
  recommended('J2.1', 'matches the names of methods in any case', async (scene) => {
    const link = await Link.open(scene)
    await link.expectResult('x', 'echo', 'x')
    await link.expectResult('x', 'ECHO', 'x')
  }),
  ...broken.map(([number, what, text]) =>
    required(`J3.${number}`, `closes with an error, and the leave to come back, after what ${what}`, async (scene) =>
      expectBroken(await Link.open(scene), text),
    ),
  ),
  required('J3.11', 'closes so after a message of more than 32,768 bytes', async (scene) => {
    const link = await Link.open(scene)
    await link.wire.send(`{"type":1,"invocationId":"1","target":"Echo","arguments":["${'x'.repeat(32_768)}"]}\x1e`)
    const close = await link.next('a Close message')
    expectEqual([close.type, close['allowReconnect']], [7, true], 'type and allowReconnect')
    // What .NET says after it, of how to allow more there, is nothing that another server could say.
    const detail = String.raw` InvalidDataException: The maximum message size of 32768B was exceeded\.(?: .+)?`
    const isDetailed = scene.settings.detailedErrors
    expectMatch(
      String(close['error']),
      new RegExp(String.raw`^Connection closed with an error\.${isDetailed ? detail : ''}$`),
      'error',
    )
    await link.expectEnd(1000)
  }),
  required('J3.12', 'takes a message of 32,768 bytes, its separator included', async (scene) => {
    const link = await Link.open(scene)
    const message = (text: string): string =>
      `{"type":1,"invocationId":"1","target":"Echo","arguments":["${text}"]}\x1e`
    const text = 'x'.repeat(32_768 - message('').length)
    await link.wire.send(message(text))
    await link.expect({ type: 3, invocationId: '1', result: text })
  }),
  required('J4.1', 'passes over items, completions and cancellations of ids that it does not know', async (scene) => {
    const link = await Link.open(scene)
    await link.send(
      { type: 2, invocationId: 'x', item: 1 },
      { type: 3, invocationId: 'x', result: 1 },
      { type: 3, invocationId: 'y', error: 'x' },
      { type: 3, invocationId: 'z' },
      { type: 5, invocationId: 'x' },
    )
    await link.expectSilence()
  }),
  required('J4.2', 'passes over Ack and Sequence where stateful reconnect is off', async (scene) => {
    const link = await Link.open(scene)
    await link.send({ type: 8, sequenceId: 5 }, { type: 9, sequenceId: 7 })
    await link.expectSilence()
  }),
  required('J4.3', 'passes over properties that it does not know, in any order', async (scene) => {
    const link = await Link.open(scene)
    await link.wire.send('{"arguments":["x"],"new":{"a":[1]},"target":"Echo","type":1,"invocationId":"1"}\x1e')
    await link.expect({ type: 3, invocationId: '1', result: 'x' })
  }),
  improvement('0.5-json', 'passes over a message of an unknown type, and goes on', async (scene) => {
    const link = await Link.open(scene)
    await link.send({ type: 99, what: 'new' })
    await link.expectSilence()
  }),
  ...overAll(required, 'J5.1', 'brings text back as it went, whatever its characters', async (link) => {
    for (const text of ['line1\nline2\r\n', '日本 <>&"+\\/', '\u{1f600}\u2028\u0000\u001f\u007f', '']) {
      await link.expectResult(text, 'Echo', text)
    }
  }),
  required('J5.2', 'names properties of its own in camelCase', async (scene) => {
    const link = await Link.open(scene)
    const invocationId = await link.start('SendCustomObject', { Name: 'n', Value: 42, name: 'n', value: 42 })
    await link.expect(
      { type: 1, target: 'CustomObject', arguments: [{ name: 'n', value: 42 }] },
      { type: 3, invocationId, result: null },
    )
  }),
]
