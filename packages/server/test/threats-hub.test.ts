import { jsonCodec } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { heldBytes } from '../../protocol/test/memory.ts'
import { defineHub } from '../src/hub/hub-definition.ts'
import { unchecked, upload } from '../src/hub/validator.ts'
import { range } from './channel-scene.ts'
import { HANDSHAKE } from './hub-scene.ts'
import { openClient, openRaw, type ServedChannel, type SocketClient, serveChannel } from './served-channel.ts'
import {
  type OpenClient,
  openLongPolling,
  openServerSentEvents,
  openWebSocket,
  type Said,
  type TransportClient,
} from './transport-clients.ts'
import { ask, negotiateUrl, post } from './transport-http.ts'
import { until } from './until.ts'

const transports: readonly [string, OpenClient][] = [
  ['WebSockets', openWebSocket],
  ['ServerSentEvents', openServerSentEvents],
  ['LongPolling', openLongPolling],
]
const END = '\x1e'

let served: ServedChannel
let bystander: SocketClient

async function start(options: Parameters<typeof serveChannel>[0] = {}): Promise<void> {
  served = await serveChannel({ development: true, closeTimeoutMs: 100, ...options })
  bystander = await openClient(served.port)
}

async function connect(open: OpenClient, path = '/msg', shakesHands = true): Promise<TransportClient> {
  const client = await open(`${served.url}${path}`, { shakesHands })
  onTestFinished(() => client.cut())
  return client
}

async function answersOf(client: TransportClient, count: number): Promise<Said[]> {
  const find = (): Said[] => client.said.filter(({ type }) => type === 3)
  await until(() => find().length >= count, `${count} calls are answered`)
  return find()
}

/** Whatever the test did, the bystander gets what is posted, and nothing else. */
afterEach(async () => {
  await served.channel.postMessageToAll('Still', 'here')
  await until(() => bystander.bodies().includes('here'), 'the bystander gets what is posted')
})

describe.each(transports)('advisories about messages, over %s', (name, open) => {
  it('CVE-2023-32695: a method with the name of what every object has is one that does not exist', async () => {
    await start()
    const client = await connect(open)
    const names = [
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      'valueOf',
      '',
      'onConnected',
      'x'.repeat(5000),
    ]
    const calls = names.map((target, id) => ({ type: 1, invocationId: String(id), target, arguments: [] }))
    await client.send(calls.map((call) => JSON.stringify(call) + END).join(''))
    for (const { error } of await answersOf(client, names.length)) expect(error).toContain('Method does not exist.')
    for (const target of [null, 7, {}, ['x']]) {
      const other = await connect(open)
      await other.send(JSON.stringify({ type: 1, invocationId: '1', target, arguments: [] }) + END)
      await until(other.isEnded, 'it is closed')
      expect(other.said.at(-1)).toMatchObject({ type: 7, error: 'Connection closed with an error.' })
    }
  })

  it('CVE-2022-2421: an id of a stream is taken for nothing but one', async () => {
    await start()
    served.channel.mapHub('/hub', uploadHub())
    for (const streamIds of [[1], [null], [{ toString: 'x' }], 'ab', { length: 1 }, [['1']]]) {
      const client = await connect(open, '/hub')
      await client.send(JSON.stringify({ type: 1, invocationId: '1', target: 'Count', arguments: [], streamIds }) + END)
      await until(client.isEnded, 'it is closed')
      expect(client.said.at(-1)).toMatchObject({ type: 7, error: 'Connection closed with an error.' })
    }
    const client = await connect(open, '/hub')
    const call = (id: string, streamIds: readonly string[]): string =>
      JSON.stringify({ type: 1, invocationId: id, target: 'Count', arguments: [], streamIds }) + END
    await client.send(call('1', ['__proto__']) + call('2', ['__proto__']) + call('3', ['a', 'a']) + call('4', []))
    expect((await answersOf(client, 3)).map(({ invocationId }) => invocationId)).toEqual(['2', '3', '4'])
    await client.send(JSON.stringify({ type: 3, invocationId: '__proto__' }) + END)
    expect((await answersOf(client, 4)).at(-1)).toMatchObject({ invocationId: '1', result: 0 })
  })

  it('CVE-2026-33151: a call that announces thousands of streams is refused, and none of them is waited for', async () => {
    await start()
    served.channel.mapHub('/hub', uploadHub())
    const client = await connect(open, '/hub')
    const streamIds = range(1, 3000).map(String)
    const call = JSON.stringify({ type: 1, invocationId: 'many', target: 'Count', arguments: [], streamIds }) + END
    const before = heldBytes()
    for (let n = 0; n < 20; n++) await client.send(call)
    const answers = await answersOf(client, 20)
    for (const { error } of answers) expect(error).toContain('Client sent 3000 stream(s)')
    expect(heldBytes() - before).toBeLessThan(2_000_000)
  })

  it('CVE-2026-69185: items of streams that nobody opened, and answers that nobody asked for, are not kept', async () => {
    await start()
    const client = await connect(open)
    const item = (id: number): string =>
      JSON.stringify({ type: 2, invocationId: `s${id}`, item: 'x'.repeat(500) }) + END
    const completion = (id: number): string =>
      JSON.stringify({ type: 3, invocationId: `c${id}`, result: 'x'.repeat(500) }) + END
    const before = heldBytes()
    for (const n of range(1, 100)) {
      await client.send(
        range(1, 50)
          .map((m) => item(n * 100 + m) + completion(n * 100 + m))
          .join(''),
      )
    }
    await client.send(JSON.stringify({ type: 1, invocationId: 'last', target: 'X', arguments: [] }) + END)
    expect((await answersOf(client, 1))[0]?.invocationId).toBe('last')
    // Ten thousand of them, 5.5 MB in all.
    expect(heldBytes() - before).toBeLessThan(1_000_000)
  })

  it('CVE-2026-26130: a message that never ends is kept to its bound, in however many pieces it comes', async () => {
    await start()
    const bound = 32_768
    const clients = await Promise.all(range(1, 10).map(() => connect(open)))
    const before = heldBytes()
    for (const client of clients) {
      await client.send('{"type":1,"target":"')
      for (let n = 0; n < 30; n++) await client.send('x'.repeat(1000))
    }
    // A string of 30,000 characters in pieces, and the answers to so many requests in this process.
    expect((heldBytes() - before) / clients.length).toBeLessThan(3 * bound)
    await Promise.all(clients.map((client) => client.send('x'.repeat(4000))))
    for (const client of clients) await until(client.isEnded, `it is closed on ${name}`)
  })

  it('CVE-2026-56170: a client that acknowledges and reads nothing makes nobody wait, nor does it fill the server', async () => {
    await start({ highWaterMarkBytes: 65_536 })
    const hub = served.channel.mapHub('/hub', uploadHub())
    const other = await connect(openWebSocket, '/hub')
    const silent = await connect(open, '/hub')
    silent.stopReading()
    const { text } = await ask(`${served.url}/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true`, {
      method: 'POST',
    })
    expect(text).toContain('"useStatefulReconnect":true')
    const { connectionToken } = JSON.parse(text) as { connectionToken: string }
    const unthankful = await connect(openWebSocket, `/hub?id=${connectionToken}`, false)
    await unthankful.send(`{"protocol":"json","version":2}${END}{"type":6}${END}`)
    await until(() => unthankful.said.length > 0, 'the handshake is answered')
    const before = heldBytes()
    const got = (): number[] =>
      other.said.flatMap(({ target, arguments: args }) => (target === 'Message' ? [Number(args?.[0])] : []))
    const waits: number[] = []
    for (const n of range(1, 300)) {
      const begin = performance.now()
      hub.clients.all.send('Message', n, 'x'.repeat(20_000))
      await served.channel.postMessageToAll('Load', n)
      waits.push(performance.now() - begin)
      await until(() => got().length === n, 'the other got it')
    }
    expect(got()).toEqual(range(1, 300))
    expect(waits.sort((a, b) => a - b)[150]).toBeLessThan(20)
    // It reads, and gets, what it never acknowledges.
    await until(() => unthankful.said.filter(({ target }) => target === 'Message').length === 300, 'so does who reads')
    // Both keep what they got, 6 MB each, and the system's buffers of both ends are beyond this process's heap.
    expect(heldBytes() - before - 2 * 300 * 20_000).toBeLessThan(2_000_000)
  })

  it('CVE-2024-38355: a connection that breaks while the server writes to it ends nothing', async () => {
    await start({ disconnectTimeoutMs: 200, highWaterMarkBytes: 65_536 })
    const clients = await Promise.all(range(1, 5).map(() => connect(open)))
    for (const client of clients) {
      client.stopReading()
      // Its own bytes come while the server's are on their way.
      void client.send('{"type":1,"target":"').catch(() => {})
    }
    for (const n of range(1, 20)) {
      await served.channel.postMessageToAll('Load', 'x'.repeat(100_000))
      if (n % 4 === 0) clients[n / 4 - 1]?.cut()
    }
    await until(() => served.channel.connectionCount === 1, 'all of them are gone')
  })

  it('CVE-2024-21386: one client has so many streams and no more, and they end with it', async () => {
    await start()
    let running = 0
    served.channel.mapHub(
      '/hub',
      defineHub<{ server: { Endless(): AsyncIterable<number> }; client: object }>({
        methods: {
          async *Endless({ signal }) {
            running++
            try {
              await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
              yield* []
            } finally {
              running--
            }
          },
        },
      }),
    )
    const client = await connect(open, '/hub')
    const calls = range(1, 1500).map((id) =>
      JSON.stringify({ type: 4, invocationId: String(id), target: 'Endless', arguments: [] }),
    )
    await client.send(calls.map((call) => call + END).join(''))
    const refused = await answersOf(client, 1)
    expect(refused[0]?.error).toContain('streams already')
    expect(running).toBeLessThanOrEqual(100)
    await client.leave()
    await until(() => running === 0, 'its streams have ended')
  })
})

interface UploadContract {
  server: { Count(items: AsyncIterable<unknown>): number }
  client: { Message(n: number, text: string): void }
}

function uploadHub(): ReturnType<typeof defineHub<UploadContract>> {
  return defineHub<UploadContract>({
    methods: {
      Count: {
        parameters: [upload(unchecked)],
        async run(_, items) {
          let count = 0
          for await (const item of items) count += item === undefined ? 0 : 1
          return count
        },
      },
    },
  })
}

describe('CVE-2026-45591: MessagePack that nests without end is refused on every transport that carries it', () => {
  const handshake = `{"protocol":"messagepack","version":1}${END}`
  const nested = (head: readonly number[]): Buffer => {
    const body = Buffer.alloc(32_000, Buffer.from(head))
    return Buffer.concat([Buffer.from([0x80, 0xfa, 0x01]), body])
  }
  const closed = messagePackCodec.encode({
    type: 7,
    error: 'Connection closed with an error.',
    allowReconnect: true,
  })

  it.each([
    ['arrays', [0x91]],
    ['maps', [0x81, 0xa0]],
    ['long arrays', [0xdd, 0, 0, 0, 1]],
  ])('%s over WebSockets', async (_, head) => {
    await start()
    const socket = new WebSocket(served.hubUrl.replace('http', 'ws'))
    const data: Buffer[] = []
    socket.on('message', (piece: Buffer) => data.push(piece))
    const end = new Promise<number>((resolve) => socket.once('close', resolve))
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send(handshake)
    socket.send(nested(head))
    expect(await end).toBe(1000)
    expect(Buffer.concat(data).includes(Buffer.from(closed))).toBe(true)
  })

  it.each([
    ['arrays', [0x91]],
    ['maps', [0x81, 0xa0]],
    ['long arrays', [0xdd, 0, 0, 0, 1]],
  ])('%s over long polling', async (_, head) => {
    await start()
    const own = await negotiateUrl(served.hubUrl)
    await ask(own)
    await post(own, handshake).answer
    await post(own, nested(head)).answer
    expect((await ask(own)).text).toContain('Connection closed with an error.')
    expect((await ask(own)).status).toBe(204)
  })
})

describe('names', () => {
  const names = [
    '__proto__',
    'constructor',
    'toString',
    'all',
    'user:a',
    'group:a',
    'a',
    'a:',
    ':a',
    'A',
    'á',
    'a\0',
    'a b',
    '*',
    'a,b',
  ]

  it('CVE-2026-39972: of users and groups meet nobody but whom they name, however they are written', async () => {
    await start({
      authenticate: ({ url }) => {
        const query = new URLSearchParams(url?.split('?')[1])
        const [user, group] = [query.get('user'), query.get('group')]
        return { ...(user === null ? {} : { user }), ...(group === null ? {} : { groups: [group] }) }
      },
    })
    const open = (query: Record<string, string>): Promise<SocketClient> =>
      openClient(served.port, `/msg?${new URLSearchParams(query)}`)
    const users = await Promise.all(names.map((user) => open({ user })))
    const groups = await Promise.all(names.map((group) => open({ group })))
    for (const name of names) {
      await served.channel.post({ to: { users: name }, sender: name, body: `user ${name}` })
      await served.channel.post({ to: { groups: name }, sender: name, body: `group ${name}` })
    }
    await served.channel.postMessageToAll('Last', 'last')
    await until(() => [...users, ...groups].every((client) => client.bodies().includes('last')), 'all has come')
    expect(users.map((client) => client.bodies())).toEqual(names.map((name) => [`user ${name}`, 'last']))
    expect(groups.map((client) => client.bodies())).toEqual(names.map((name) => [`group ${name}`, 'last']))
  })

  it('of properties are kept as they are in bodies, arguments and audiences, and reach no prototype', async () => {
    await start()
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
    const body = `{"sender":"__proto__","body":${text},"to":{"users":["__proto__"],"all":true}}`
    const answer = await ask(`${served.url}/api/messages`, {
      method: 'POST',
      body: body.replace(',"to":{"users":["__proto__"],"all":true}', ''),
      headers: { 'Content-Type': 'application/json' },
    })
    expect(answer.status).toBe(201)
    await until(() => bystander.records.some((record) => record.includes('polluted')), 'it has come')
    expect(bystander.records.find((record) => record.includes('polluted'))).toContain(`"Body":${text}`)
    const raw = await openRaw(served.port)
    raw.socket.end(
      `POST /api/messages HTTP/1.1\r\nHost: localhost\r\n__proto__: x\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{"__proto__":{"sender":"x"},"body":1   }`,
    )
    await until(raw.isEnded, 'it is answered')
    const client = await connect(openWebSocket)
    await client.send(
      `{"__proto__":{"type":1},"type":1,"invocationId":"1","target":"X","arguments":[${text}],"headers":{"__proto__":"x"}}${END}`,
    )
    expect((await answersOf(client, 1))[0]?.invocationId).toBe('1')
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect(jsonCodec.encode({ type: 6 })).toBe(`{"type":6}${END}`)
    expect(HANDSHAKE).toContain('json')
  })
})
