import { expect } from 'vitest'
import { until } from '../../packages/server/test/until.ts'
import type { Scenario } from './stock-scene.ts'

const TEXTS = ['', 'plain', 'line1\nline2\r\n日本 <>&"+', '😀 Ünïcödé \u2028\u0000\u001e', 'x'.repeat(30_000)]

/** An error of the server, as its client is told. Source: SIGNALR 2.9. */
const ERRORS: readonly (readonly [what: string, method: string, args: readonly unknown[], error: string])[] = [
  [
    'a method that there is not',
    'NoSuchMethod',
    [1],
    "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist.",
  ],
  ['too few arguments', 'Echo', [], "Failed to invoke 'Echo' due to an error on the server."],
  ['too many arguments', 'Echo', ['a', 'b'], "Failed to invoke 'Echo' due to an error on the server."],
  ['arguments of the wrong type', 'Add', ['a', 'b'], "Failed to invoke 'Add' due to an error on the server."],
  [
    'a method that throws',
    'ThrowException',
    ['secret'],
    "An unexpected error occurred invoking 'ThrowException' on the server.",
  ],
  [
    'a method that throws what clients may know',
    'ThrowHubException',
    ['known'],
    "An unexpected error occurred invoking 'ThrowHubException' on the server. HubException: known",
  ],
  ['a method that is not for it', 'Secret', [], "Failed to invoke 'Secret' because user is unauthorized"],
  [
    'a stream by an invocation',
    'Stream',
    [],
    "The client attempted to invoke the streaming 'Stream' method with a non-streaming invocation.",
  ],
]

/** Calls of the client, and what they are answered. */
export const callScenarios: readonly Scenario[] = [
  {
    name: 'connects, has an id, and leaves',
    async run({ server, open }) {
      const client = await open()
      expect(await client.state()).toBe('Connected')
      expect(await client.connectionId()).toMatch(/^[\w-]{22}$/)
      expect(server.hub.connectionCount).toBe(1)
      await client.stop()
      expect(await client.ended()).toEqual({ value: undefined })
      expect(await client.state()).toBe('Disconnected')
      await until(() => server.hub.connectionCount === 0, 'the server knows')
    },
  },
  {
    name: 'is answered with each kind of text as it was sent',
    async run({ open }) {
      const client = await open()
      for (const text of TEXTS) expect(await client.invoke('Echo', text)).toEqual({ value: text })
    },
  },
  {
    name: 'is answered with null where there is no result, and with numbers',
    async run({ open }) {
      const client = await open()
      expect(await client.invoke('VoidMethod')).toEqual({ value: null })
      expect(await client.invoke('GetNull')).toEqual({ value: null })
      expect(await client.invoke('Add', 2 ** 40, -1)).toEqual({ value: 2 ** 40 - 1 })
    },
  },
  {
    name: 'finds methods in any case of their names, and by other names',
    async run({ open, transport }) {
      const client = await open()
      expect(await client.invoke('eCHO', 'a')).toEqual({ value: 'a' })
      expect(await client.invoke('renamed')).toEqual({ value: 'renamed' })
      expect(await client.invoke('GetActiveTransportName')).toEqual({ value: transport })
      expect(await client.invoke('GetCallerConnectionId')).toEqual({ value: await client.connectionId() })
    },
  },
  {
    name: 'gets objects back as they are',
    async run({ open }) {
      const value = { text: 'a', list: [1, -1, 1.5, 2 ** 40, true, null, []], deep: { 'Ünï 😀': { a: {} } } }
      const client = await open()
      expect(await client.invoke('EchoComplexObject', value)).toEqual({ value })
    },
  },
  {
    name: 'gets bytes and dates: as such over MessagePack, as text over JSON',
    async run({ open, protocol }) {
      const client = await open()
      const outcome = await client.invoke('SendComplexObject')
      const rest = { String: 'hello world', IntArray: [1, 2, 3], Guid: '00010203-0405-0607-0706-050403020100' }
      if (protocol === 'json') {
        expect(outcome).toEqual({ value: { ...rest, ByteArray: 'AQID', DateTime: '2000-01-01T00:00:00Z' } })
        return
      }
      const value = { bytes: Uint8Array.of(0, 1, 255), date: new Date('2026-11-24T12:34:56.789Z') }
      expect(plain(outcome)).toEqual({
        value: { ...rest, ByteArray: [1, 2, 3], DateTime: new Date('2000-01-01T00:00:00Z') },
      })
      expect(plain(await client.invoke('EchoComplexObject', value))).toEqual({
        value: { bytes: [0, 1, 255], date: value.date },
      })
    },
  },
  {
    name: 'is told in the words of .NET what went wrong',
    async run({ open }) {
      const client = await open()
      for (const [what, method, args, error] of ERRORS) {
        expect({ what, ...(await client.invoke(method, ...args)) }).toEqual({ what, error })
      }
      expect(await client.invoke('Echo', 'still here')).toEqual({ value: 'still here' })
    },
  },
  {
    name: 'may call what is for users where it is one',
    async run({ open }) {
      const client = await open({ token: 'ada' })
      expect(await client.invoke('Secret')).toEqual({ value: 'secret' })
    },
  },
  {
    name: 'is let in with a token only, where there is nothing for others',
    async run({ create, open, server }) {
      const stranger = await create({ path: '/locked' })
      expect(await stranger.start()).toEqual({ error: expect.stringMatching(/Unauthorized|401/) as string })
      expect(await stranger.state()).toBe('Disconnected')
      await until(() => server.channel.connectionCount === 0, 'nobody is connected')
      const client = await open({ path: '/locked', token: 'ada' })
      expect(await client.invoke('Echo', 'in')).toEqual({ value: 'in' })
    },
  },
  {
    name: 'sends without waiting, and gets no answer, not even an error',
    async run({ open }) {
      const client = await open()
      await client.send('Broadcast', 1)
      await client.send('NoSuchMethod')
      await client.send('ThrowException', 'unheard')
      await client.send('Broadcast', { n: 2 })
      expect(await client.calls('message', 2)).toEqual([[1], [{ n: 2 }]])
      expect(await client.state()).toBe('Connected')
    },
  },
  {
    name: 'has many calls under way, which are answered one after another',
    async run({ open }) {
      const client = await open()
      const echoes = Array.from({ length: 30 }, (_, n) => ['Echo', `call ${n}`] as const)
      const outcomes = await client.invokeAll([['Slow', 30], ...echoes, ['ThrowException', 'x'], ['Add', 1, 2]])
      expect(outcomes).toEqual([
        [0, { value: null }],
        ...echoes.map(([, text], index) => [index + 1, { value: text }]),
        [31, { error: "An unexpected error occurred invoking 'ThrowException' on the server." }],
        [32, { value: 3 }],
      ])
    },
  },
]

/** Bytes as lists: which type of bytes a client makes of them is its own affair. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Date || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}
