import { afterEach, describe, expect, it } from 'vitest'
import { heldBytes } from '../../protocol/test/memory.ts'
import type { ServerChannelOptions } from '../src/options.ts'
import { range } from './channel-scene.ts'
import { HANDSHAKE } from './hub-scene.ts'
import { closeCodesOf, closesOf, framesOf } from './raw-frames.ts'
import {
  clientFrame,
  openClient,
  openRaw,
  type RawConnection,
  type ServedChannel,
  type SocketClient,
  serveChannel,
  UPGRADE_HEAD,
} from './served-channel.ts'
import { until } from './until.ts'

let served: ServedChannel
let bystander: SocketClient
let port: number

/** A channel, and a client of it that does nothing wrong. */
async function start(options: ServerChannelOptions = {}): Promise<void> {
  served = await serveChannel({ development: true, ...options })
  port = served.port
  bystander = await openClient(port)
}

async function openUpgraded(...pieces: readonly (string | Buffer)[]): Promise<RawConnection> {
  return openRaw(
    port,
    Buffer.concat([Buffer.from(`${UPGRADE_HEAD}\r\n`), ...pieces.map((piece) => Buffer.from(piece))]),
  )
}

const shake = clientFrame(1, HANDSHAKE)
const isUpgraded = (raw: RawConnection): boolean => raw.text().includes('\r\n\r\n')

/** Whatever the test did, the bystander gets what is posted, and a new client is served. */
afterEach(async () => {
  await served.channel.postMessageToAll('Still', 'here')
  await until(() => bystander.bodies().includes('here'), 'the bystander gets what is posted')
  expect(bystander.bodies()).toEqual(['here'])
  await openClient(port)
})

describe('advisories of ws', () => {
  it('CVE-2026-48779: a message in tiny fragments pins little, and is refused beyond 64 of them', async () => {
    await start()
    const before = heldBytes()
    const fragments = [clientFrame(1, 'x', false), ...range(1, 60).map(() => clientFrame(0, 'x', false))]
    const raws = await Promise.all(range(1, 50).map(() => openUpgraded(shake, ...fragments)))
    await until(() => raws.every((raw) => raw.text().includes('{}\x1e')), 'all fragments have come')
    // 61 bytes each, and two sockets of this process: some 15 KB.
    expect((heldBytes() - before) / raws.length).toBeLessThan(40_000)
    for (const raw of raws) raw.socket.write(Buffer.concat(range(1, 10).map(() => clientFrame(0, 'x', false))))
    await until(() => raws.every((raw) => raw.isEnded()), 'they are closed')
    for (const raw of raws) expect(closeCodesOf(raw.text())).toEqual([1008])
  })

  it('CVE-2026-62389: fragments without anything in them count too', async () => {
    await start()
    const fragments = [clientFrame(1, '', false), ...range(1, 200).map(() => clientFrame(0, '', false))]
    const raw = await openUpgraded(shake, ...fragments)
    await until(() => raw.isEnded(), 'it is closed')
    expect(closeCodesOf(raw.text())).toEqual([1008])
  })

  it('CVE-2026-45736: a close frame holds its code and no bytes but those that its client sent, whatever it is for', async () => {
    await start({ handshakeTimeoutMs: 300, closeTimeoutMs: 100 })
    const endings: [Buffer, number, string?][] = [
      [Buffer.concat([shake, clientFrame(1, 'nonsense\x1e')]), 1000],
      [Buffer.concat([shake, clientFrame(1, '{"type":7}\x1e')]), 1000],
      [Buffer.concat([shake, clientFrame(8, Buffer.from([0x03, 0xe8, ...Buffer.from('bye')]))]), 1000, 'bye'],
      [Buffer.concat([shake, clientFrame(8, Buffer.alloc(0))]), 1000],
      [Buffer.concat([shake, clientFrame(3, 'x')]), 1002],
      [Buffer.concat([shake, clientFrame(1, Buffer.from([0xff]))]), 1007],
      [Buffer.concat([shake, Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff])]), 1009],
      [clientFrame(1, 'x\x1e'), 1000],
      [Buffer.alloc(0), 1000],
    ]
    for (const [pieces, code, reason = ''] of endings) {
      const raw = await openUpgraded(pieces)
      await until(() => raw.isEnded(), `it is closed with ${code}`)
      const payload = String.fromCharCode(code >> 8, code & 0xff) + reason
      expect([code, ...closesOf(raw.text()).map((bytes) => bytes.toString('latin1'))]).toEqual([code, payload])
    }
  })

  it('CVE-2024-37890: more headers than are kept end nothing, whichever of them are cut off', async () => {
    await start()
    const many = range(1, 3000)
      .map((n) => `${n % 10}:\r\n`)
      .join('')
    const [line = '', ...headers] = UPGRADE_HEAD.split(/(?<=\r\n)/)
    const own = headers.join('')
    for (const head of [
      `${line}${many}${own}`,
      `${line}${own}${many}`,
      `${line}${headers[0]}${many}${headers.slice(1).join('')}`,
    ]) {
      expect(head.length).toBeLessThan(16_384)
      const raw = await openRaw(port, `${head}\r\n`)
      await until(() => isUpgraded(raw), 'it is answered')
      expect(raw.text()).toMatch(/^HTTP\/1\.1 (?:101|4\d\d) /)
      raw.socket.destroy()
    }
    const long = await openRaw(port, `${line}${own}${'X-Filling: 0123456789\r\n'.repeat(3000)}\r\n`)
    await until(() => long.isEnded(), 'it is refused')
    expect(long.text()).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('CVE-2021-32640: a header of subprotocols takes time in its length, whatever is in it', async () => {
    await start()
    for (const filling of [' ', ',', ', ', '\t', 'a,', 'a ', '"']) {
      const value = `a${filling.repeat(15_000 / filling.length)}b`
      const before = process.cpuUsage()
      const raw = await openRaw(port, `${UPGRADE_HEAD}Sec-WebSocket-Protocol: ${value}\r\n\r\n`)
      await until(() => isUpgraded(raw), 'it is answered')
      // Some 5 ms; where a comma was looked for anew from each blank it would be seconds.
      expect(process.cpuUsage(before).user / 1000).toBeLessThan(300)
      expect(raw.text()).toMatch(/^HTTP\/1\.1 (?:101|400) /)
      expect(raw.text()).not.toMatch(/^sec-websocket-protocol:/im)
      raw.socket.destroy()
    }
  })
})

describe('advisories of others about WebSockets', () => {
  it('CVE-2026-27571: what is compressed is not even inflated, also where the client offers it', async () => {
    await start()
    const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n'
    // A megabyte of zeros to each of its kilobytes.
    const bomb = clientFrame(2, Buffer.alloc(1000, 0))
    bomb[0] = (bomb[0] ?? 0) | 0x40
    const raw = await openRaw(port, Buffer.concat([Buffer.from(UPGRADE_HEAD + offer), shake, bomb]))
    await until(() => raw.isEnded(), 'it is closed')
    expect(raw.text()).not.toMatch(/sec-websocket-extensions/i)
    expect(closeCodesOf(raw.text())).toEqual([1002])
  })

  it.each([
    ['reserved bits', Buffer.from([0xb1, 0x80, 0, 0, 0, 0])],
    ['no mask', Buffer.from([0x81, 0x01, 0x78])],
    ['an opcode that is none', Buffer.from([0x8f, 0x80, 0, 0, 0, 0])],
    ['a long control frame', Buffer.from([0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0])],
    ['a continuation of nothing', Buffer.from([0x80, 0x80, 0, 0, 0, 0])],
    ['a close code that is none', clientFrame(8, Buffer.from([0x00, 0x01]))],
  ])(
    'CVE-2022-21676: a first frame that is none, in one piece with the upgrade, ends its connection only: %s',
    async (_, frame) => {
      await start()
      const raw = await openUpgraded(frame)
      await until(() => raw.isEnded(), 'it is closed')
      expect(closeCodesOf(raw.text())).toEqual([1002])
    },
  )

  it('CVE-2022-41940: a reset in the middle of an upgrade ends nothing, whenever it comes', async () => {
    const asked: (() => void)[] = []
    await start({
      authenticate: (request) =>
        request.url?.includes('slow') ? new Promise((resolve) => asked.push(() => resolve({}))) : {},
    })
    const head = UPGRADE_HEAD.replace('/msg', '/msg?slow')
    for (const cut of [20, head.length, head.length + 2]) {
      const raw = await openRaw(port, `${head}\r\n`.slice(0, cut))
      if (cut > head.length) await until(() => asked.length > 0, 'it is being authenticated')
      raw.socket.resetAndDestroy()
    }
    // One is answered after its socket was reset, one while it is.
    const other = await openRaw(port, `${head}\r\n`)
    await until(() => asked.length > 1, 'the other is being authenticated')
    for (const answer of asked) answer()
    other.socket.resetAndDestroy()
    await until(() => served.channel.connectionCount === 1, 'no place is taken')
  })

  it('GHSA-cgwc-pv48-fhj5: a connection that has said nothing costs no timer, nor do pongs that nobody asked for', async () => {
    await start()
    const countTimers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = countTimers()
    const pongs = range(1, 200).map(() => clientFrame(10, 'x'))
    const raws = await Promise.all(range(1, 100).map(() => openUpgraded(...pongs)))
    await until(() => raws.every(isUpgraded) && served.channel.connectionCount === 101, 'all are open')
    expect(countTimers() - before).toBeLessThan(10)
    expect(raws.flatMap((raw) => framesOf(raw.text()))).toEqual([])
    for (const raw of raws) raw.socket.destroy()
    await until(() => served.channel.connectionCount === 1, 'all are gone')
  })
})
