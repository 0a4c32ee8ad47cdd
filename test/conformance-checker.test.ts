import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { allChecks } from './conformance/all-checks.ts'
import { runChecks } from './conformance/run.ts'
import { DEFAULT_SETTINGS } from './conformance/scene.ts'
import { type Alter, AlteringProxy } from './support/altering-proxy.ts'
import { ConformanceServer, SHORT_TIMES } from './support/conformance-process.ts'

const settings = { ...DEFAULT_SETTINGS, ...SHORT_TIMES }

/** What each of these checks says of a server. */
async function outcomesOf(url: URL, ids: readonly string[]): Promise<Record<string, string>> {
  const checks = allChecks.filter(({ id }) => ids.includes(id))
  const results = await runChecks({ url, settings, checks })
  return Object.fromEntries(results.map(({ check: { id }, outcome }) => [id, outcome]))
}

const all = (ids: readonly string[], outcome: string): Record<string, string> =>
  Object.fromEntries(ids.map((id) => [id, outcome]))

const replace =
  (from: string | RegExp, to: string): Alter =>
  (text) =>
    text.replaceAll(from, to)

/** What a server does wrong, how it looks on the wire, and the checks that have to notice. */
const mistakes: readonly (readonly [what: string, alter: Alter, ids: readonly string[]])[] = [
  ['another type of its answers', replace('application/json', 'text/plain'), ['N1.1']],
  ['another name in the body of negotiate', replace('"connectionToken"', '"connectionTokeN"'), ['N3.1', 'W1.2']],
  ['another order of transports', replace('ServerSentEvents","tr', 'ServerSentEventz","tr'), ['N3.1', 'N3.4']],
  ['another error of negotiate', replace('non-integer', 'non-decimal'), ['N2.5']],
  ['another reason phrase', replace('401 Unauthorized', '401 No'), ['H5.1', 'H5.2']],
  ['another status', replace('HTTP/1.1 401 ', 'HTTP/1.1 403 '), ['H5.1', 'H5.5']],
  ['another text of a refusal', replace('Connection ID required', 'Connection id required'), ['H1.1']],
  ['no leave for other origins', replace(/Access-Control-Allow-Origin/gi, 'X-Nothing'), ['H6.1', 'H6.2']],
  ['404 turned into 200', replace('HTTP/1.1 404 ', 'HTTP/1.1 200 '), ['H1.2', 'P2.2', 'L3.1']],
  [
    'compression that was not asked for',
    replace('\r\nUpgrade: ', '\r\nSec-WebSocket-Extensions: x\r\nUpgrade: '),
    ['W3.1'],
  ],
  ['another close code', replace('\x88\x02\x03\xe8', '\x88\x02\x03\xe9'), ['W4.2', 'J3.1', 'K2.1', 'C2.1-ws-json']],
  ['text frames for MessagePack', replace('\x82\x03{}', '\x81\x03{}'), ['W2.2']],
  ['binary frames for JSON', replace('\x81\x03{}', '\x82\x03{}'), ['W2.1']],
  ['events that are compressed', replace(/Content-Encoding: identity\r\n/gi, ''), ['S1.1']],
  ['another first byte of events', replace('\r\n:\r\n', '\r\n;\r\n'), ['S1.2', 'S2.1']],
  ['events without a space', replace('data: {', 'data:\t{'), ['S2.1']],
  ['polls that may be stored', replace(/Pragma: no-cache/gi, 'Pragma: x'), ['L1.1', 'L1.2']],
  ['204 turned into 200', replace('HTTP/1.1 204 ', 'HTTP/1.1 200 '), ['L2.4', 'L3.1', 'L3.2']],
  ['another answer to the handshake', replace('{}\x1e', '[]\x1e'), ['K1.1', 'W2.1', 'P2.3']],
  ['another error of the handshake', replace("'xml' is", "'XML' is"), ['K2.1']],
  ['no null where there is no result', replace('"result":null', '"resulT":null'), ['J1.3-ws-json', 'J1.4', '1.1']],
  [
    'another text of an error',
    replace('Method does not exist.', 'Method does not exist!'),
    ['2.9.1-ws-json', '2.9.1-lp-mp'],
  ],
  ['no leave to come back', replace('"allowReconnect":true', '"allowReconnect":null'), ['J3.1', 'J3.11', 'C1.4-ws']],
  ['pings that are none', replace('{"type":6}', '{"type":8}'), ['C1.1', 'S4.3']],
  [
    'an item that is lost',
    replace(/"type":2(,"invocationId":"\w+","item":"b")/g, '"type":6$1'),
    ['T1.1-ws-json', 'T1.1-lp-json'],
  ],
  ['an item that is another', replace('"item":"b"', '"item":"B"'), ['T1.1-ws-json', 'T1.1-sse-json']],
  [
    'answers that come twice',
    (text) => (text.includes('"type":3') ? text + text : text),
    ['T1.1-ws-json', 'J2.1', '2.9.2-ws-json'],
  ],
  ['results for another id', replace('"invocationId":"c1"', '"invocationId":"c0"'), ['J5.1-ws-json', '6.11']],
  ['bytes that are others', replace('\xa2hi', '\xa2ho'), ['3.1', 'W2.2']],
  ['no value where there is none', replace('\xa12\x03\xc0', '\xa12\x02\xc0'), ['3.2']],
  ['another Sequence', replace('{"type":9,"sequenceId":2}', '{"type":9,"sequenceId":1}'), ['R2.1-json']],
  ['another Ack', replace('{"type":8,"sequenceId":1}', '{"type":8,"sequenceId":9}'), ['R1.1']],
  [
    'stateful reconnect that nobody asked for',
    replace('{"negotiateVersion":', '{"useStatefulReconnect":true,"negotiateVersion":'),
    ['N3.1'],
  ],
]

describe('a checker', () => {
  let server: ConformanceServer
  beforeAll(async () => {
    server = await ConformanceServer.start()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  async function openProxy(alter: Alter): Promise<URL> {
    const proxy = new AlteringProxy(Number(server.url.port), alter)
    onTestFinished(() => proxy.close())
    return proxy.listen()
  }

  it('passes all that the mistakes below make fail, through a proxy that alters nothing', async () => {
    const ids = [...new Set(mistakes.flatMap(([, , found]) => found))]
    expect(await outcomesOf(await openProxy((text) => text), ids)).toEqual(all(ids, 'pass'))
  }, 60_000)

  it.each(mistakes)(
    'notices %s',
    async (_, alter, ids) => {
      expect(await outcomesOf(await openProxy(alter), ids)).toEqual(all(ids, 'fail'))
    },
    60_000,
  )
})

describe('checks of several nodes', () => {
  const ids = ['0.8.1', '0.8.2', '0.8.3', '0.8.4']

  async function outcomesAt(url: URL, otherUrl: URL, otherPid?: number): Promise<Record<string, string>> {
    const checks = allChecks.filter(({ id }) => ids.includes(id) || (otherPid !== undefined && id === '0.8.6'))
    const results = await runChecks({ url, settings: { ...settings, otherUrl, otherPid }, checks })
    return Object.fromEntries(results.map(({ check: { id }, outcome }) => [id, outcome]))
  }

  it('pass where two addresses lead to one server, and fail where two servers know nothing of each other', async () => {
    await using server = await ConformanceServer.start()
    await using stranger = await ConformanceServer.start()
    const sameElsewhere = new URL(server.url)
    sameElsewhere.hostname = 'localhost'
    expect(await outcomesAt(server.url, sameElsewhere)).toEqual(all(ids, 'pass'))
    expect(await outcomesAt(server.url, stranger.url, stranger.pid)).toEqual(all([...ids, '0.8.6'], 'fail'))
  }, 60_000)
})

describe('no check passes because nothing happens', () => {
  async function passedAgainst(answer: RequestListener): Promise<string[]> {
    const stub = createServer(answer)
    stub.on('upgrade', (_, socket) =>
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
    )
    await new Promise<void>((resolve) => stub.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      stub.closeAllConnections()
      return new Promise((resolve) => stub.close(() => resolve()))
    })
    const url = new URL(`http://127.0.0.1:${(stub.address() as AddressInfo).port}`)
    const results = await runChecks({ url, settings, checks: allChecks })
    expect(results).toHaveLength(allChecks.length)
    return results.filter(({ outcome }) => outcome === 'pass').map(({ check }) => check.id)
  }

  it('at a server that answers everything with 200 and nothing', async () => {
    expect(await passedAgainst((_, response) => response.end())).toEqual(['H1.3', '6.1'])
  }, 120_000)

  it('at a server that answers everything with 404', async () => {
    const passed = await passedAgainst((_, response) => {
      response.writeHead(404).end()
    })
    expect(passed).toEqual(['H1.3'])
  }, 120_000)
})
