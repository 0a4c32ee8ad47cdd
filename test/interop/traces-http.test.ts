import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseResponses, type RawResponse, TraceSocket } from '../support/raw-http.ts'

/** What a .NET server and `@microsoft/signalr` said to each other: what of it needs no hub methods is said to ours. */
const folder = fileURLToPath(new URL('../../../shared/traces/', import.meta.url))
const hasTraces = existsSync(folder)
if (!hasTraces) console.log(`Skipped: there are no traces of other servers in ${folder}`)

interface TraceEvent {
  readonly conn?: number
  readonly dir?: 'C>S' | 'S>C'
  readonly http?: string
  readonly ev?: string
  readonly step?: string
}

/** Headers of the connection, not of the answer; and those that say what and when. */
const NOT_COMPARED = ['date', 'server', 'connection', 'keep-alive', 'transfer-encoding']
/** What ours says besides. */
const OURS = ['x-content-type-options', 'referrer-policy', 'x-accel-buffering', 'cache-control']

let channel: ServerChannel
let port: number

beforeEach(async () => {
  channel = await createServerChannel({ keepAliveIntervalMs: 100, pollTimeoutMs: 300 })
  port = (await channel.listen()).port
})

afterEach(() => channel.close())

/** The events of the steps that are named so. */
function readSteps(name: string, steps: readonly RegExp[]): TraceEvent[] {
  const lines = readFileSync(`${folder}${name}.ndjson`, 'utf8').trim().split('\n')
  let isWanted = false
  return lines
    .map((line) => JSON.parse(line) as TraceEvent)
    .filter(({ step }) => {
      if (step !== undefined) isWanted = steps.some((wanted) => wanted.test(step))
      return isWanted && step === undefined
    })
}

interface Exchange {
  readonly request: string
  readonly golden: RawResponse
  readonly ours: RawResponse
}

/** Says to our server what the trace's client said, on as many TCP connections, and waits for as much as came there. */
async function replay(events: readonly TraceEvent[]): Promise<Exchange[]> {
  const sockets = new Map<number, TraceSocket>()
  const golden = new Map<number, string>()
  const requests: { readonly conn: number; readonly request: string }[] = []
  let token = ''
  for (const { conn = -1, dir, http = '', ev } of events) {
    const socket = sockets.get(conn) ?? new TraceSocket(port)
    sockets.set(conn, socket)
    if (ev === 'client closed tcp') await leave(socket)
    if (dir === 'C>S') {
      requests.push({ conn, request: http })
      const own = http.replaceAll(/([?&]id=)[\w-]+/g, `$1${token}`).replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`)
      socket.write(own)
    }
    if (dir !== 'S>C') continue
    golden.set(conn, (golden.get(conn) ?? '') + http)
    const want = parseResponses(golden.get(conn) ?? '')
    await socket.received((got) => isAsMuch(got, want))
    token ||= /"connectionToken":"([\w-]+)"/.exec(socket.text)?.[1] ?? ''
  }
  const exchanges = [...sockets].flatMap(([conn, socket]) => {
    const own = requests.filter((request) => request.conn === conn)
    const ours = parseResponses(socket.text)
    return parseResponses(golden.get(conn) ?? '').flatMap((want, index) => {
      const [request, got] = [own[index]?.request, ours[index]]
      return request && got ? [{ request: kindOf(request), golden: want, ours: got }] : []
    })
  })
  for (const socket of sockets.values()) socket.destroy()
  return exchanges
}

/** Ends when our server can know of it: it has answered something that came later. */
async function leave(socket: TraceSocket): Promise<void> {
  socket.destroy()
  await fetch(`http://127.0.0.1:${port}/msg`)
}

function isAsMuch(got: readonly RawResponse[], want: readonly RawResponse[]): boolean {
  const last = want.length - 1
  return got.length >= want.length && (got[last]?.body.length ?? 0) >= (want[last]?.body.length ?? 0)
}

function kindOf(request: string): string {
  const [method = '', target = ''] = request.split(' ')
  return `${method} ${target.replace(/=[\w-]+/g, '=')} ${request.slice(request.indexOf('\r\n\r\n') + 4)}`.trim()
}

function withoutIds(body: string): string {
  return body.replaceAll(/("connection(?:Id|Token)":)"[\w-]{22}"/g, '$1"…"')
}

function compare({ golden, ours }: Exchange): void {
  expect(ours.statusLine).toBe(golden.statusLine)
  expect(withoutIds(ours.body)).toBe(withoutIds(golden.body))
  for (const [name, value] of golden.headers) {
    if (!NOT_COMPARED.includes(name) && !(name === 'content-length' && ours.headers.has('transfer-encoding'))) {
      expect(`${name}: ${ours.headers.get(name)}`).toBe(`${name}: ${value}`)
    }
  }
  const more = [...ours.headers.keys()].filter((name) => !golden.headers.has(name) && name !== 'content-length')
  expect(more.filter((name) => !NOT_COMPARED.includes(name) && !OURS.includes(name))).toEqual([])
}

describe.skipIf(!hasTraces)('a trace of .NET 9', () => {
  it('begins the same over server-sent events: negotiation, stream, handshake, ping', async () => {
    const exchanges = await replay(readSteps('net9.0.5-sse-json', [/^start/]))
    expect(exchanges.map(({ request }) => request)).toEqual([
      'POST /msg/negotiate?negotiateVersion=',
      'POST /msg?id= {"protocol":"json","version":1}\x1e',
      'GET /msg?id=',
      'POST /msg?id= {"type":6}\x1e',
    ])
    for (const exchange of exchanges) compare(exchange)
    expect(exchanges[2]?.ours.body).toBe(':\r\ndata: {}\x1e\r\n\r\n')
  })

  it('goes on the same over server-sent events: a ping, and the goodbye that comes too late', async () => {
    const events = readSteps('net9.0.5-sse-json', [/^start/, /^idle/, /^client stop/])
    const firstPing = events.findIndex(({ dir, http }) => dir === 'S>C' && http?.includes('"type":6'))
    const isLaterPing = (event: TraceEvent, index: number): boolean =>
      index > firstPing && event.dir === 'S>C' && Boolean(event.http?.includes('"type":6'))
    const exchanges = await replay(events.filter((event, index) => !isLaterPing(event, index)))
    const [stream, goodbye] = [exchanges[2], exchanges.at(-1)]
    expect(stream?.golden.body).toBe(':\r\ndata: {}\x1e\r\n\r\ndata: {"type":6}\x1e\r\n\r\n')
    for (const exchange of exchanges) compare(exchange)
    expect(goodbye?.request).toBe('POST /msg?id= {"type":7}\x1e')
    expect(goodbye?.ours).toMatchObject({ statusLine: 'HTTP/1.1 404 Not Found', body: 'No Connection with that ID' })
  })

  it('begins the same over long polling: negotiation, first poll, handshake', async () => {
    const exchanges = await replay(readSteps('net9.0.5-lp-json', [/^start/]))
    expect(exchanges.map(({ request }) => request)).toEqual([
      'POST /msg/negotiate?negotiateVersion=',
      'GET /msg?id=&_=',
      'GET /msg?id=&_=',
      'POST /msg?id= {"protocol":"json","version":1}\x1e',
    ])
    for (const exchange of exchanges) compare(exchange)
    expect(exchanges[1]?.ours.body).toBe('{}\x1e')
  })

  it('goes on the same over long polling: a poll for which nothing came, the goodbye, DELETE', async () => {
    const start = readSteps('net9.0.5-lp-json', [/^start/])
    const idle = readSteps('net9.0.5-lp-json', [/^idle/])
    const stop = readSteps('net9.0.5-lp-json', [/^client stop/])
    // The poll was broken off before the goodbye was taken there; the trace has them in the same millisecond.
    const [left, said] = [stop.filter(({ ev }) => ev), stop.filter(({ ev }) => !ev)]
    const exchanges = await replay([...start, ...idle, ...left, ...said])
    for (const exchange of exchanges) compare(exchange)
    expect(exchanges.map(({ request, ours }) => `${request.split(' ')[0]} ${ours.statusLine}`)).toEqual([
      'POST HTTP/1.1 200 OK',
      'GET HTTP/1.1 200 OK',
      'GET HTTP/1.1 200 OK',
      'POST HTTP/1.1 200 OK',
      'GET HTTP/1.1 200 OK',
      'POST HTTP/1.1 200 OK',
      'DELETE HTTP/1.1 202 Accepted',
    ])
  })
})
