import { existsSync, readFileSync } from 'node:fs'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'

/** What a real ASP.NET Core server and its client said to each other; see the README beside it. */
const folder = new URL('../../../shared/traces/', import.meta.url)
const isThere = existsSync(folder)
if (!isThere) console.log(`The golden traces are skipped: there is no ${folder.pathname}`)

interface Event {
  readonly conn?: number
  readonly dir?: 'C>S' | 'S>C'
  readonly http?: string
  readonly ws?: string
  readonly text?: string
  readonly len?: number
  readonly code?: number
  readonly step?: string
}

function readTrace(name: string): readonly Event[] {
  return readFileSync(new URL(name, folder), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event)
}

interface Parsed {
  readonly line: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

function parseHttp(text: string): Parsed {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const headers = fields.map((field) => {
    const colon = field.indexOf(':')
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const
  })
  return { line, headers: Object.fromEntries(headers), body }
}

/** The first exchange of a kind: what the client asked and what it was answered on that connection. */
function exchange(events: readonly Event[], start: string): { readonly asked: Parsed; readonly answered: Parsed } {
  const index = events.findIndex(({ dir, http }) => dir === 'C>S' && http?.startsWith(start))
  const asked = events[index]
  const answered = events.slice(index).find(({ dir, http, conn }) => dir === 'S>C' && http && conn === asked?.conn)
  if (!asked?.http || !answered?.http) throw new Error(`The trace has no ${start}`)
  return { asked: parseHttp(asked.http), answered: parseHttp(answered.http) }
}

/** Keys and values in their order, with ids and tokens by their shape. */
function shapeOf(body: string): unknown {
  return JSON.parse(body, (key, value: unknown) =>
    /^connection(?:Id|Token)$/.test(key) ? String(value).length : value,
  )
}

let channel: ServerChannel
let port: number

beforeEach(async () => {
  channel = await createServerChannel({ development: true })
  ;({ port } = await channel.listen())
})

afterEach(() => channel.close())

/** Sends what the client of the trace sent at the start of a connection, and gives what it is told. */
async function replay(
  headers: Readonly<Record<string, string>>,
  query = '',
): Promise<{
  readonly socket: WebSocket
  next(): Promise<string>
  readonly closed: Promise<number>
}> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/msg${query}`, {
    headers: { 'User-Agent': headers['user-agent'] ?? '' },
  })
  const said: string[] = []
  const waiting: ((text: string) => void)[] = []
  socket.on('message', (data: Buffer) => {
    const take = waiting.shift()
    if (take) take(data.toString())
    else said.push(data.toString())
  })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise((resolve, reject) => {
    socket.on('open', resolve)
    socket.on('error', reject)
  })
  return {
    socket,
    closed,
    next: () => {
      const text = said.shift()
      return text === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(text)
    },
  }
}

describe.skipIf(!isThere)('against the trace of ASP.NET Core 9.0.5, WebSockets and JSON', () => {
  const trace = isThere ? readTrace('net9.0.5-ws-json.ndjson') : []
  /** The WebSocket of the trace. */
  const frames = trace.filter(({ conn, ws }) => conn === 2 && ws !== undefined)

  it('negotiation is answered with the same status, type, keys and values in the same order', async () => {
    const { asked, answered } = exchange(trace, 'POST /msg/negotiate')
    const [method = '', target = ''] = asked.line.split(' ')
    const response = await fetch(`http://127.0.0.1:${port}${target}`, { method })
    const body = await response.text()
    expect(`HTTP/1.1 ${response.status} ${response.statusText}`).toBe(answered.line)
    expect(response.headers.get('content-type')).toBe(answered.headers['content-type'])
    expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(body)))
    expect(JSON.stringify(shapeOf(body))).toBe(JSON.stringify(shapeOf(answered.body)))
  })

  it('the upgrade of the client is accepted with the same negotiated extensions: none', async () => {
    const { asked, answered } = exchange(trace, 'GET /msg?id=')
    const status = await new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/msg`, { perMessageDeflate: true })
      socket.on('upgrade', (response) => {
        resolve([response.statusCode, response.headers['sec-websocket-extensions']])
        socket.terminate()
      })
      socket.on('error', (error) => {
        if (!error.message.includes('established')) reject(error)
      })
    })
    expect(asked.headers['sec-websocket-extensions']).toContain('permessage-deflate')
    expect(status).toEqual([101, answered.headers['sec-websocket-extensions']])
    expect(answered.line).toContain('101')
  })

  it('the handshake and the end of the client are answered to the byte', async () => {
    const handshake = frames.find(({ dir, text }) => dir === 'C>S' && text?.includes('"protocol"'))
    const answer = frames.find(({ dir }) => dir === 'S>C')
    const end = frames.findLast(({ dir, ws }) => dir === 'C>S' && ws === 'text')
    const close = frames.findLast(({ dir, ws }) => dir === 'S>C' && ws === 'close')
    const client = await replay(exchange(trace, 'GET /msg?id=').asked.headers)
    client.socket.send(handshake?.text ?? '')
    expect(await client.next()).toBe(answer?.text)
    client.socket.send(end?.text ?? '')
    client.socket.close()
    expect(await client.closed).toBe(close?.code)
  })

  it('the call of a method that does not exist is answered to the byte', async () => {
    const call = frames.find(({ dir, text }) => dir === 'C>S' && text?.includes('"NoSuchMethod"'))
    const answer = frames.find(({ dir, text }) => dir === 'S>C' && text?.includes("'NoSuchMethod'"))
    const client = await replay(exchange(trace, 'GET /msg?id=').asked.headers)
    client.socket.send('{"protocol":"json","version":1}\x1e')
    await client.next()
    client.socket.send(call?.text ?? '')
    expect(await client.next()).toBe(answer?.text)
    client.socket.terminate()
  })

  it('all that the client of the trace said is taken, and every call of it is answered', async () => {
    const said = frames.filter(({ dir, ws, text }) => dir === 'C>S' && ws === 'text' && text !== '{"type":7}\x1e')
    const calls = said.flatMap(({ text }) => {
      const records = (text ?? '').split('\x1e').slice(0, -1)
      return records.map((record) => JSON.parse(record) as { type?: number; invocationId?: string })
    })
    const blocking = calls.filter(({ type, invocationId }) => (type === 1 || type === 4) && invocationId !== undefined)
    const client = await replay(exchange(trace, 'GET /msg?id=').asked.headers)
    for (const { text } of said) client.socket.send(text ?? '')
    const answered: (string | undefined)[] = []
    while (answered.length < blocking.length) {
      for (const record of (await client.next()).split('\x1e').slice(0, -1)) {
        const { type, invocationId } = JSON.parse(record) as { type?: number; invocationId?: string }
        if (type === 3) answered.push(invocationId)
      }
    }
    // A call of a method that is not there is answered at once, before those that wait for their turn: so in .NET.
    expect(new Set(answered)).toEqual(new Set(blocking.map(({ invocationId }) => invocationId)))
    expect(client.socket.readyState).toBe(WebSocket.OPEN)
    client.socket.terminate()
  })
})
