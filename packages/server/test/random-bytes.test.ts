import { expect, it } from 'vitest'
import { createRandom, firstSeed, type Random } from '../../protocol/test/random.ts'
import { range } from './channel-scene.ts'
import { HANDSHAKE, PING } from './hub-scene.ts'
import { clientFrame, openClient, openRaw, serveChannel, UPGRADE_HEAD } from './served-channel.ts'
import { until } from './until.ts'

const CONNECTIONS = 400
const AT_ONCE = 20

const BODY = '{"sender":"S","body":{"a":[1,"x"]},"to":{"users":["u"]},"key":"k","intervalMs":7,"ttlMs":5,"id":"i"}'
const HEAD = 'HTTP/1.1\r\nHost: localhost\r\n'
/** What clients send when all is well; most attacks begin as something that is nearly right. */
const SENSIBLE: readonly Buffer[] = [
  `POST /msg/negotiate?negotiateVersion=1 ${HEAD}Content-Length: 0\r\n\r\n`,
  `POST /api/messages ${HEAD}Content-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  `POST /api/messages ${HEAD}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  `GET /msg/events?position=e:1 ${HEAD}Last-Event-ID: e:1\r\n\r\n`,
  `GET /msg?id=x ${HEAD}Accept: text/event-stream\r\n\r\n`,
  `DELETE /msg?id=x ${HEAD}\r\n`,
  `${UPGRADE_HEAD}\r\n`,
  `${UPGRADE_HEAD.replace('/msg', '/msg?position=e:1&user=u')}\r\n`,
].map((text) => Buffer.from(text))

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
  clientFrame(8, Buffer.from([0x03, 0xe8])),
]

function noise(random: Random): Buffer {
  return Buffer.from(range(1, 1 + random.below(300)).map(() => random.below(256)))
}

/** A few bytes of it changed, cut out or put in. */
function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated = Buffer.from(bytes)
  for (let changes = random.below(4); changes > 0; changes--) {
    const at = random.below(mutated.length + 1)
    const [before, after] = [mutated.subarray(0, at), mutated.subarray(Math.min(mutated.length, at + random.below(4)))]
    mutated = Buffer.concat([before, random.chance(0.5) ? noise(random).subarray(0, 4) : Buffer.alloc(0), after])
  }
  return mutated
}

/** What one connection sends, piece by piece. */
function attack(random: Random): Buffer[] {
  if (random.chance(0.15)) return [noise(random)]
  const pieces = [mutate(random.pick(SENSIBLE), random)]
  if (random.chance(0.5)) {
    // Right up to the WebSocket, and wrong from there on.
    pieces[0] = Buffer.from(`${UPGRADE_HEAD}\r\n`)
    if (random.chance(0.8)) pieces.push(clientFrame(1, HANDSHAKE))
    for (let frames = random.below(8); frames > 0; frames--) pieces.push(mutate(random.pick(FRAMES), random))
  }
  if (random.chance(0.3)) pieces.push(noise(random))
  return pieces
}

it('no bytes at any door kill the server, or cost a bystander a message', async () => {
  const random = createRandom(firstSeed())
  const { channel, port } = await serveChannel({ development: true })
  const bystander = await openClient(port)
  let posted = 0
  try {
    for (let round = 0; round < CONNECTIONS / AT_ONCE; round++) {
      await Promise.all(
        range(1, AT_ONCE).map(async () => {
          const pieces = attack(random)
          const raw = await openRaw(port)
          for (const piece of pieces) await new Promise((resolve) => raw.socket.write(piece, resolve))
          if (random.chance(0.3)) raw.socket.resetAndDestroy()
          else if (random.chance(0.5)) raw.socket.end()
          await channel.postMessageToAll('Bystander', ++posted)
        }),
      )
    }
    const own = (): unknown[] =>
      bystander.records.flatMap((record) => {
        const { arguments: args } = JSON.parse(record) as {
          arguments?: { Header: { Sender: string }; Body: unknown }[]
        }
        return args?.[0]?.Header.Sender === 'Bystander' ? [args[0].Body] : []
      })
    await until(() => own().length >= posted, 'the bystander got every message')
    expect(own()).toEqual(range(1, posted))
    const late = await openClient(port)
    await channel.postMessageToAll('Bystander', 'after')
    await until(() => late.bodies().includes('after'), 'a new client is served')
  } catch (cause) {
    throw new Error(`With SEED=${random.seed}`, { cause })
  }
})
