import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HANDSHAKE, PING } from './hub-scene.ts'
import { framesOf } from './raw-frames.ts'
import { clientFrame, openClient, openRaw, type RawConnection, serveChannel, UPGRADE_HEAD } from './served-channel.ts'
import { ask } from './transport-http.ts'
import { openTransportScene, type TransportScene, type TransportSceneOptions } from './transport-scene.ts'
import { until } from './until.ts'

const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING_FRAME = 9
const PONG_FRAME = 10
const CLOSE_1000 = '\x88\x02\x03\xe8'

async function open(options?: TransportSceneOptions): Promise<TransportScene> {
  const scene = await openTransportScene(options)
  onTestFinished(() => scene.close())
  return scene
}

/** A WebSocket by hand, with its handshake done. */
async function openFrames(scene: TransportScene, frames: readonly Buffer[] = []): Promise<RawConnection> {
  const count = scene.connections.length
  const raw = await openRaw(scene.port, `${UPGRADE_HEAD}\r\n`)
  raw.socket.write(Buffer.concat([clientFrame(TEXT, HANDSHAKE), ...frames]))
  await until(() => scene.connections.length > count, 'the handshake is done')
  return raw
}

describe('a WebSocket', () => {
  it('is opened without compression and without a subprotocol, whatever the client offers', async () => {
    const scene = await open()
    const offers = 'Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: mqtt\r\n'
    const raw = await openRaw(scene.port, `${UPGRADE_HEAD}${offers}\r\n`)
    await until(() => raw.text().endsWith('\r\n\r\n'), 'the upgrade is answered')
    expect(raw.text()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
    expect(raw.text()).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(raw.text().toLowerCase()).not.toMatch(/extensions|sec-websocket-protocol/)
  })

  it('takes text and binary frames, messages over several of them, and empty ones', async () => {
    const scene = await open()
    const call = Buffer.from('{"type":1,"invocationId":"1","target":"é","arguments":[]}\x1e')
    const middle = call.indexOf(0xc3) + 1
    const frames = [
      clientFrame(TEXT, ''),
      clientFrame(BINARY, ''),
      clientFrame(BINARY, call.subarray(0, middle)),
      clientFrame(BINARY, call.subarray(middle)),
      clientFrame(TEXT, PING + PING),
    ]
    const raw = await openFrames(scene, frames)
    await until(() => raw.text().includes('Method does not exist.'), 'the call is answered')
    expect(Buffer.from(raw.text(), 'latin1').toString()).toContain("'é'")
  })

  it('answers the close of a client, as JavaScript clients end, with 1000', async () => {
    const scene = await open()
    const raw = await openFrames(scene)
    raw.socket.write(Buffer.concat([clientFrame(TEXT, '{"type":7}\x1e'), clientFrame(CLOSE, '')]))
    await until(raw.isEnded, 'the connection has ended')
    expect(raw.text().endsWith(CLOSE_1000)).toBe(true)
    await scene.emptied()
  })

  it.each([
    ['ends its side', (raw: RawConnection) => raw.socket.end()],
    ['breaks the connection', (raw: RawConnection) => raw.socket.resetAndDestroy()],
    ['closes without a word', (raw: RawConnection) => raw.socket.write(clientFrame(CLOSE, ''))],
  ])('is gone when the client %s', async (_, leave) => {
    const scene = await open()
    const raw = await openFrames(scene)
    leave(raw)
    await scene.emptied()
    expect(scene.channel.connectionCount).toBe(0)
  })

  it.each([
    ['that is not masked', Buffer.from([0x81, 0x01, 0x61]), 1002],
    ['with reserved bits', Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), 1002],
    ['with a reserved opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ['that goes on with nothing', Buffer.from([0x80, 0x80, 0, 0, 0, 0]), 1002],
    ['that declares 2^62 bytes', Buffer.from([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
    ['that declares one byte more than allowed', Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0]), 1009],
  ])('that sends a frame %s is closed with the code for it, and the connection is gone', async (_, frame, code) => {
    const scene = await open()
    const raw = await openFrames(scene)
    raw.socket.write(frame)
    await until(() => raw.text().includes(`\x88\x02${String.fromCharCode(code >> 8, code & 0xff)}`), `the code ${code}`)
    raw.socket.destroy()
    await scene.emptied()
  })

  it('does not keep the request that opened it', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const requests: WeakRef<object>[] = []
    const scene = await open({
      authenticate(request) {
        requests.push(new WeakRef(request))
        return {}
      },
    })
    for (let count = 0; count < 3; count++) await openFrames(scene)
    expect(requests).toHaveLength(3)
    // Node's parser may hold on to the newest.
    await until(() => {
      collect()
      return requests.slice(0, 2).every((request) => request.deref() === undefined)
    }, 'the requests are collected')
    expect(scene.connectionCount).toBe(3)
  })

  it('is not opened where the request is refused, and nothing that follows is taken for another request', async () => {
    const { port, channel } = await serveChannel()
    const next = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'
    for (const refused of [
      `${UPGRADE_HEAD}Origin: http://evil.test\r\n\r\n`,
      `${UPGRADE_HEAD.replace('/msg', '/msg?id=unknown')}\r\n`,
      `${UPGRADE_HEAD.replace('GET', 'POST')}\r\n`,
      `${UPGRADE_HEAD.replace('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 12')}\r\n`,
      `${UPGRADE_HEAD.replace('/msg', '/elsewhere')}\r\n`,
    ]) {
      const raw = await openRaw(port, refused + next)
      await until(raw.isEnded, 'the server has ended the connection')
      expect(raw.text()).toMatch(/^HTTP\/1\.1 4\d\d /)
      expect(raw.text().match(/HTTP\/1\.1/g)).toHaveLength(1)
    }
    expect(channel.connectionCount).toBe(0)
  })
})

describe.each(['auto', 'off'] as const)('writes of a WebSocket, directWrites %s,', (directWrites) => {
  it('keep their order with pongs and the close, though the client did not read', async () => {
    const scene = await open({ directWrites, limits: { closeTimeoutMs: 5000 } })
    const raw = await openFrames(scene)
    const connection = await scene.connected(1)
    raw.socket.pause()
    const filler = 'x'.repeat(100_000)
    let count = 0
    while (connection.bufferedBytes === 0) await scene.post([++count, filler])
    raw.socket.write(clientFrame(PING_FRAME, 'are you there'))
    // Answered after the ping has come.
    await ask(scene.url)
    await scene.post([++count, filler])
    const left = scene.shutDown()
    raw.socket.resume()
    await until(() => raw.text().endsWith(CLOSE_1000), 'the close has come')
    raw.socket.end()
    await left
    const frames = framesOf(raw.text())
    expect(frames.at(-1)).toMatchObject({ opcode: CLOSE })
    const texts = frames.filter(({ opcode }) => opcode === TEXT).map(({ payload }) => payload.toString())
    const numbers = texts.flatMap((text) => [...text.matchAll(/"Body":\[(\d+),/g)].map(([, number]) => Number(number)))
    expect(numbers).toEqual(Array.from({ length: count }, (_, index) => index + 1))
    const others = frames.filter(({ opcode }) => opcode !== TEXT)
    // Behind a stream that is full a ping gets no answer.
    const opcodes = directWrites === 'auto' ? [PONG_FRAME, CLOSE] : [CLOSE]
    expect(others.map(({ opcode }) => opcode)).toEqual(opcodes)
  })
})

describe('attackers on WebSockets', () => {
  it('that open and say nothing are gone after the handshake timeout, and free their places', async () => {
    const scene = await open({ limits: { connectionsMax: 50 } })
    const raws = await Promise.all(Array.from({ length: 50 }, () => openRaw(scene.port, `${UPGRADE_HEAD}\r\n`)))
    await until(() => raws.every((raw) => raw.text().includes('101')), 'all are open')
    const refused = await openRaw(scene.port, `${UPGRADE_HEAD}\r\n`)
    await until(() => refused.text().includes('too_many_connections'), 'one more is refused')
    scene.clock.advance(15_000)
    await scene.emptied()
    expect(raws.every((raw) => raw.text().includes('Handshake was canceled.'))).toBe(true)
    await until(() => raws.every((raw) => raw.isEnded()), 'their sockets are closed')
    await openFrames(scene)
  })

  it('that break off in the middle of the upgrade take no place', async () => {
    const scene = await open({ limits: { connectionsMax: 1 } })
    for (let index = 0; index < 30; index++) {
      const raw = await openRaw(scene.port, index % 2 ? UPGRADE_HEAD : `${UPGRADE_HEAD}\r\n`)
      if (index % 3 === 0) raw.socket.resetAndDestroy()
      else raw.socket.destroy()
    }
    await scene.emptied()
    await expect
      .poll(() =>
        openFrames(scene).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
  })

  it('that ping and do not read get a bounded number of pongs', async () => {
    const scene = await open()
    const raw = await openFrames(scene)
    const connection = await scene.connected(1)
    raw.socket.pause()
    const pings = Buffer.concat(Array.from({ length: 5000 }, () => clientFrame(9, 'x'.repeat(125))))
    let highest = 0
    for (let round = 0; round < 40; round++) {
      await new Promise((resolve) => raw.socket.write(pings, resolve))
      highest = Math.max(highest, connection.bufferedBytes)
    }
    // 25 MB of pongs were asked for.
    expect(highest).toBeLessThan(16_384 + 1024)
  })

  it('that send 100,000 tiny frames hold up nobody for long', async () => {
    const scene = await open()
    const bystander = await openFrames(scene)
    const raw = await openFrames(scene)
    raw.socket.resume()
    const tiny = [
      clientFrame(TEXT, PING),
      clientFrame(TEXT, ''),
      clientFrame(BINARY, '{'),
      clientFrame(TEXT, '"type":6}\x1e'),
    ]
    const flood = Buffer.concat(Array.from({ length: 25_000 }, () => tiny).flat())
    raw.socket.write(flood)
    raw.socket.write(clientFrame(TEXT, '{"type":1,"invocationId":"last","target":"X","arguments":[]}\x1e'))
    const start = performance.now()
    await scene.post('through')
    await until(() => bystander.text().includes('through'), 'the bystander got its message')
    expect(performance.now() - start).toBeLessThan(1000)
    await until(() => raw.text().includes('"invocationId":"last"'), 'the flood is handled to its end', 15_000)
  })

  it('that send one message in 30,000 frames of a byte cost no more than others', async () => {
    const scene = await open()
    const raw = await openFrames(scene)
    const message = `{"type":1,"invocationId":"1","target":"${'é'.repeat(15_000)}","arguments":[]}\x1e`
    const start = process.cpuUsage()
    const frames = Array.from(Buffer.from(message), (byte) => clientFrame(BINARY, Buffer.from([byte])))
    raw.socket.write(Buffer.concat(frames))
    await until(() => raw.text().includes('Method does not exist.'), 'the call is answered', 15_000)
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(3000)
  })
})

describe('what a client gets over a real socket', () => {
  it('is everything in order, also where it does not read for a while', async () => {
    const { channel, port } = await serveChannel({ highWaterMarkBytes: 16_384, tailCountMax: 20 })
    const { socket, bodies } = await openClient(port)
    socket.pause()
    const count = 400
    for (let number = 0; number < count; number++) await channel.postMessageToAll('S', [number, 'x'.repeat(30_000)])
    socket.resume()
    await until(() => bodies().length === count, 'all is there', 15_000)
    expect(bodies().map((body) => (body as [number])[0])).toEqual(Array.from({ length: count }, (_, number) => number))
  })
})
