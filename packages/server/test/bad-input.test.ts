import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { errorKinds } from '../src/channel/channel-error.ts'
import type { ServerChannelOptions } from '../src/options.ts'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'
import { until } from './until.ts'

const HANDSHAKE = '{"protocol":"json","version":1}\x1e'
const UPGRADE = [
  'GET /msg HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')
const CLOSED = '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}\x1e'

let channel: ServerChannel
let port: number
let bystander: Client

/** A client over a real socket, with what it was told. */
interface Client {
  readonly socket: WebSocket
  readonly said: string[]
  readonly closed: Promise<number>
}

async function start(options: ServerChannelOptions = {}): Promise<void> {
  channel = await createServerChannel({ development: true, ...options })
  ;({ port } = await channel.listen())
  bystander = await open()
}

async function open(first: string | Buffer = HANDSHAKE): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/msg`)
  const said: string[] = []
  socket.on('message', (data: Buffer) => said.push(data.toString()))
  socket.on('error', () => {})
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise((resolve) => socket.on('open', resolve))
  socket.send(first)
  if (first === HANDSHAKE) await until(() => said.length > 0, 'the handshake is answered')
  return { socket, said, closed }
}

/** The bystander got everything, and the server still takes connections. */
async function expectUnharmed(): Promise<void> {
  const before = bystander.said.length
  await channel.postMessageToAll('Bystander', before)
  await until(() => bystander.said.length > before, 'the bystander gets its message')
  expect(bystander.said.at(-1)).toContain(`"Body":${before}`)
  const other = await open()
  other.socket.terminate()
}

beforeEach(() => start())

afterEach(async () => {
  bystander.socket.terminate()
  await channel.close()
})

async function restart(options: ServerChannelOptions): Promise<void> {
  bystander.socket.terminate()
  await channel.close()
  await start(options)
}

describe('a client that sends', () => {
  it.each([
    ['no JSON', 'nonsense\x1e'],
    ['an empty message', '\x1e'],
    ['a flood of separators', '\x1e'.repeat(30_000)],
    ['a list', '[]\x1e'],
    ['no type', '{}\x1e'],
    ['too deep a message', `{"type":1,"target":"X","arguments":[${'['.repeat(100)}${']'.repeat(100)}]}\x1e`],
    ['depth as of a bomb', '['.repeat(32_000)],
    ['more than a message may have', `{"type":1,"target":"X","arguments":["${'x'.repeat(32_768)}"]}\x1e`],
    ['more than that without an end', 'x'.repeat(40_000)],
  ])('%s is told so and closed, and may come back', async (_name, data) => {
    const client = await open()
    client.socket.send(data.endsWith('\x1e') ? data : `${data}${data.startsWith('[') ? '\x1e' : ''}`)
    expect(await client.closed).toBe(1000)
    expect(client.said.at(-1)).toBe(CLOSED)
    await expectUnharmed()
  })

  it('a message of unknown type, or answers to nobody, is heard on', async () => {
    const client = await open()
    client.socket.send(
      '{"type":99}\x1e{"type":3,"invocationId":"7","result":1}\x1e{"type":8,"sequenceId":1e15}\x1e{"type":9,"sequenceId":-5}\x1e',
    )
    client.socket.send('{"type":1,"invocationId":"1","target":"X","arguments":[]}\x1e')
    await until(() => client.said.length > 1, 'the call is answered')
    expect(client.said[1]).toContain('Method does not exist.')
    client.socket.terminate()
  })

  it('frames beyond their limits is closed with 1009 or 1008', async () => {
    const large = await open()
    large.socket.send('x'.repeat(131_073))
    expect(await large.closed).toBe(1009)
    const fragments = await open()
    for (let n = 0; n < 100; n++) fragments.socket.send('x', { fin: n === 99 })
    expect([1008, 1009]).toContain(await fragments.closed)
    await expectUnharmed()
  })

  it('text that is not UTF-8 is closed with 1007', async () => {
    const client = await open()
    client.socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
    expect(await client.closed).toBe(1007)
    await expectUnharmed()
  })

  it('a flood of calls without reading its answers is held, and costs a bounded amount', async () => {
    const client = await open()
    client.socket.pause()
    const call = `{"type":1,"invocationId":"1","target":"${'x'.repeat(1000)}","arguments":[]}\x1e`
    const before = process.memoryUsage().rss
    for (let n = 0; n < 30_000; n++) client.socket.send(call)
    await expectUnharmed()
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024)
    client.socket.terminate()
  })
})

describe('a handshake', () => {
  it.each([
    ['that is none', '{"type":6}\x1e', 'An unexpected error occurred during connection handshake.'],
    ['that is no JSON', 'hello\x1e', 'An unexpected error occurred during connection handshake.'],
    ['in another protocol', '{"protocol":"xml","version":1}\x1e', "The protocol 'xml' is not supported."],
    [
      'in a version to come',
      '{"protocol":"json","version":3}\x1e',
      "The server does not support version 3 of the 'json' protocol.",
    ],
    ['without an end', 'x'.repeat(5000), 'Handshake was canceled.'],
  ])('%s is answered with the reason', async (_name, data, error) => {
    const client = await open(data)
    expect(await client.closed).toBe(1000)
    expect(client.said).toEqual([`${JSON.stringify({ error })}\x1e`])
    await expectUnharmed()
  })

  it('that does not come in time ends the connection', async () => {
    await restart({ handshakeTimeoutMs: 200 })
    const client = await open('')
    expect(await client.closed).toBe(1000)
    expect(client.said).toEqual(['{"error":"Handshake was canceled."}\x1e'])
    await expectUnharmed()
  })
})

describe('the numbers of connections', () => {
  /** What an upgrade is answered. */
  function upgrade(path = '/msg'): Promise<number> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
      socket.on('error', () => {})
      socket.on('open', () => resolve(101))
      socket.on('unexpected-response', (_request, response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sockets.push(socket)
    })
  }
  const sockets: WebSocket[] = []

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.terminate()
  })

  it.each([
    ['of the process', { connectionsMax: 3 }, '/msg'],
    ['of an address', { connectionsPerAddressMax: 3 }, '/msg'],
    ['of a user', { connectionsPerUserMax: 2 }, '/msg?user=anna'],
  ])('%s are bounded, and a place is free again when one goes', async (_name, options, path) => {
    await restart(options)
    expect([await upgrade(path), await upgrade(path), await upgrade(path)]).toEqual([101, 101, 503])
    sockets[0]?.terminate()
    await until(() => channel.connectionCount === 2, 'a connection is gone')
    await expect.poll(() => upgrade(path), { timeout: 5000 }).toBe(101)
  })

  it('negotiated and not opened are bounded, and forgotten in time', async () => {
    await restart({ negotiatedMax: 2, disconnectTimeoutMs: 1000 })
    const negotiate = async (): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })
    const first = (await (await negotiate()).json()) as { connectionToken: string }
    expect((await negotiate()).status).toBe(200)
    const refused = await negotiate()
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, 'too_many_negotiations'])
    await expect.poll(async () => (await negotiate()).status, { timeout: 5000 }).toBe(200)
    expect(await upgrade(`/msg?id=${first.connectionToken}`)).toBe(404)
  })
})

describe('raw bytes', () => {
  /** Sends bytes on a plain socket and waits until the server ends it, or has answered. */
  function throwAt(bytes: string | Buffer): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
      let answer = ''
      const timer = setTimeout(() => socket.destroy(), 300)
      socket.on('data', (data) => {
        answer += data.toString('latin1')
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        clearTimeout(timer)
        resolve(answer)
      })
    })
  }

  it('that are no request, or more headers than there may be, get an answer', async () => {
    expect(await throwAt('nonsense\r\n\r\n')).toContain('400')
    const many = Array.from({ length: 3000 }, (_, n) => `X-${n}: ${n}`).join('\r\n')
    expect(await throwAt(`GET /msg HTTP/1.1\r\nHost: localhost\r\n${many}\r\n\r\n`)).toMatch(/HTTP\/1\.1 4\d\d/)
    const upgrade = 'GET /msg HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
    for (const rest of ['', 'Sec-WebSocket-Version: 13\r\n', 'Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n']) {
      expect(await throwAt(`${upgrade}${rest}\r\n`)).toMatch(/HTTP\/1\.1 4\d\d/)
    }
    expect(await throwAt(upgrade.replace('/msg', '/msg?position=nonsense') + '\r\n')).toContain('position_invalid')
    await expectUnharmed()
  })

  it('at random, at every door, kill nothing', async () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    let state = seed
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return Math.floor((state / 0x80000000) * below)
    }
    const bytes = (): Buffer => Buffer.from(Array.from({ length: 1 + random(400) }, () => random(256)))
    const doors = ['POST /msg/negotiate', 'GET /msg', 'POST /api/messages', 'DELETE /msg', 'GET /msg/events']
    try {
      const throws = Array.from({ length: 120 }, (_, n) => {
        const door = doors[n % doors.length] ?? ''
        const head = `${door}?${bytes().toString('base64url')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n`
        // Bytes where a frame should begin.
        if (n % 4 === 1) return throwAt(Buffer.concat([Buffer.from(UPGRADE), bytes()]))
        return throwAt(n % 3 === 0 ? bytes() : Buffer.concat([Buffer.from(head), bytes()]))
      })
      await Promise.all(throws)
      for (let n = 0; n < 60; n++) {
        const client = await open()
        client.socket.send(bytes(), { binary: true })
        client.socket.terminate()
      }
      await expectUnharmed()
      expect(channel.position).toMatch(/:1$/)
    } catch (error) {
      throw new Error(`With SEED=${seed}`, { cause: error })
    }
  })
})

describe('the error catalogue', () => {
  it('has titles that are sentences, and statuses that HTTP knows', () => {
    for (const [code, { title, status }] of Object.entries(errorKinds)) {
      expect([code, /^[A-Z].*\.$/.test(title), status === 0 || (status >= 400 && status < 600)]).toEqual([
        code,
        true,
        true,
      ])
    }
  })
})
