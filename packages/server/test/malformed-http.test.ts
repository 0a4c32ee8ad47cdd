import { expect, it } from 'vitest'
import type { Random } from '../../protocol/test/random.ts'
import { HANDSHAKE, PING } from './hub-scene.ts'
import { type Attack, throwMalformed } from './malformed-rig.ts'
import { exchange, type Leaving, mutateBytes, noise } from './malformed-wire.ts'
import { clientFrame, UPGRADE_HEAD } from './served-channel.ts'

const BODY = '{"sender":"S","body":{"a":[1,"x"]},"to":{"users":["u"]},"key":"k","intervalMs":7,"ttlMs":5,"id":"i"}'
const HEAD = 'HTTP/1.1\r\nHost: localhost\r\n'
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
/** What clients send when all is well; most attacks begin as something that is nearly right. */
const SENSIBLE: readonly Buffer[] = [
  `POST /msg/negotiate?negotiateVersion=1 ${HEAD}Content-Length: 0\r\n\r\n`,
  `POST /hub/negotiate?negotiateVersion=1&useStatefulReconnect=true ${HEAD}Content-Length: 2\r\n\r\n{}`,
  `POST /api/messages ${HEAD}Content-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  `POST /api/messages ${HEAD}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(BODY)}${chunk(`\n${BODY}`)}0\r\nX: y\r\n\r\n`,
  `POST /msg?id=x ${HEAD}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n`,
  `GET /msg/events?position=e:1 ${HEAD}Last-Event-ID: e:1\r\n\r\n`,
  `GET /hub?id=x&access_token=y ${HEAD}Accept: text/event-stream\r\nAuthorization: Bearer z\r\n\r\n`,
  `DELETE /msg?id=x ${HEAD}\r\n`,
  `POST /hub/refresh?id=x ${HEAD}Authorization: Bearer y\r\nContent-Length: 0\r\n\r\n`,
  `OPTIONS /msg/negotiate ${HEAD}Origin: https://a.b\r\nAccess-Control-Request-Headers: x-y\r\n\r\n`,
  `GET /readyz ${HEAD}Cookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n`,
  `${UPGRADE_HEAD}\r\n`,
  `${UPGRADE_HEAD.replace('/msg', '/hub?position=e:1&user=u')}Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n`,
].map((text) => Buffer.from(text))

/** Put between the lines of a request. */
const HEADERS: readonly string[] = [
  ...['Content-Length: 5', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'Content-Length: 0x10'],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: identity, chunked',
    'Transfer-Encoding: x',
    'Connection: close',
  ],
  ...['Connection: Upgrade', 'Upgrade: websocket', 'Upgrade: h2c', 'Host: evil.test', 'Host:', 'Expect: 100-continue'],
  ...[
    'Origin: null',
    'Origin: http://evil.test',
    'Sec-Fetch-Site: cross-site',
    'Content-Type: a;b',
    'Accept: \xff\xfe',
  ],
  ...[
    ' folded',
    'No-Colon',
    ': no name',
    'X\x00: y',
    `X: ${'y'.repeat(9000)}`,
    'Sec-WebSocket-Key: x',
    'Content-Encoding: gzip',
  ],
]

const FRAMES: readonly Buffer[] = [
  clientFrame(1, HANDSHAKE),
  clientFrame(2, HANDSHAKE),
  clientFrame(1, PING),
  clientFrame(1, '{"type":1,"invocationId":"1","target":"X","arguments":[{}],"headers":{"a":"b"}}\x1e'),
  clientFrame(1, '{"type":3,"invocationId":"1","error":"x"}\x1e{"type":2,"invocationId":"9","item":1}\x1e'),
  clientFrame(1, '{"type":7}\x1e'),
  clientFrame(1, 'part', false),
  clientFrame(0, 'rest'),
  clientFrame(9, 'ping'),
  clientFrame(10, 'pong'),
  clientFrame(8, Buffer.from([0x03, 0xe8])),
]

const LEAVINGS: readonly Leaving[] = ['at once', 'answered', 'answered', 'reset']

function withHeader(request: Buffer, random: Random): Buffer {
  const lines = request.toString('latin1').split('\r\n')
  const times = random.chance(0.95) ? 1 : random.below(150)
  for (let n = 0; n < times; n++) lines.splice(1 + random.below(3), 0, random.pick(HEADERS))
  return Buffer.from(lines.join(random.chance(0.95) ? '\r\n' : '\n'), 'latin1')
}

/** What one connection sends, piece by piece. */
function createPieces(random: Random): Buffer[] {
  if (random.chance(0.1)) return [noise(random)]
  if (random.chance(0.3)) {
    // Right up to the WebSocket, and wrong from there on.
    const pieces = [Buffer.from(`${UPGRADE_HEAD}\r\n`), clientFrame(1, HANDSHAKE)]
    for (let frames = random.below(8); frames > 0; frames--) pieces.push(mutateBytes(random.pick(FRAMES), random))
    return pieces
  }
  let request = random.pick(SENSIBLE)
  if (random.chance(0.5)) request = withHeader(request, random)
  if (random.chance(0.6)) request = mutateBytes(request, random)
  // Cut off, cut in two, followed by another.
  const at = random.below(request.length + 1)
  if (random.chance(0.3)) return [request.subarray(0, at)]
  if (random.chance(0.3)) return [request.subarray(0, at), request.subarray(at)]
  return random.chance(0.3) ? [request, mutateBytes(random.pick(SENSIBLE), random)] : [request]
}

const statuses = new Map<string, number>()

const attack: Attack = async (random, port) => {
  const text = await exchange(port, createPieces(random), random.pick(LEAVINGS))
  if (text !== '' && !text.startsWith('HTTP/1.1 ')) throw new Error(`It answered ${JSON.stringify(text.slice(0, 100))}`)
  for (const [, status = ''] of text.matchAll(/HTTP\/1\.1 (\d+)/g))
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  const failed = /HTTP\/1\.1 500.*/s.exec(text)
  if (failed) throw new Error(`It answered ${failed[0].slice(0, 1000)}`)
}

it('10,000 malformed requests end nothing, hold up nobody and leave nothing behind', { timeout: 120_000 }, async () => {
  await throwMalformed(attack)
  if (process.env['INPUTS'] !== undefined) return
  // All kinds of answers were given often, or the inputs show nothing.
  for (const status of ['101', '200', '201', '400', '403', '404', '415']) {
    expect([status, (statuses.get(status) ?? 0) > 5]).toEqual([status, true])
  }
})
