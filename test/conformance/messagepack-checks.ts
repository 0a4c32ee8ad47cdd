import { type Check, expectEqual, expectThat, improvement, required } from './check.ts'
import { withQuery } from './http.ts'
import { Link } from './link.ts'
import { encode } from './messagepack.ts'
import { negotiate } from './negotiation.ts'
import { frame } from './protocol.ts'
import type { Scene } from './scene.ts'
import { Socket } from './socket.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A framed array, of values or of bytes as they are. */
const message = (...items: readonly unknown[]): Buffer =>
  frame(
    Buffer.concat([
      Buffer.of(0x90 + items.length),
      ...items.map((item) => (item instanceof Raw ? item.bytes : encode(item))),
    ]),
  )

class Raw {
  readonly bytes: Buffer

  constructor(text: string) {
    this.bytes = hex(text)
  }
}

async function openPacked(scene: Scene, isStateful = false): Promise<Link> {
  return Link.open(scene, { protocol: 'messagepack', isStateful })
}

/** Sends bytes, and expects exactly these for the whole answer, in however many frames. */
async function exchange(link: Link, sent: string, expected: string): Promise<void> {
  await link.wire.send(hex(sent))
  await expectBytes(link, expected)
}

async function expectBytes(link: Link, expected: string): Promise<void> {
  const bytes = hex(expected)
  let got = Buffer.alloc(0)
  while (got.length < bytes.length) {
    const piece = await link.wire.next()
    expectThat(piece !== undefined, expected, got.toString('hex'))
    // A ping may come at any moment.
    if (!piece.data.equals(PING)) got = Buffer.concat([got, piece.data])
  }
  expectEqual(got.toString('hex'), bytes.toString('hex'))
}

const PING = hex('02 91 06')

async function expectBroken(scene: Scene, bytes: Buffer): Promise<void> {
  const link = await openPacked(scene)
  await link.wire.send(bytes)
  const close = await link.next(`Close after ${bytes.toString('hex', 0, 32)}`)
  expectThat(close.type === 7 && typeof close['error'] === 'string', 'a Close message with an error', close)
  await link.expectEnd(1000)
}

const ECHO = ['Echo', ['hi']] as const
const ECHOED = { type: 3, invocationId: '0', result: 'hi' }

export const messagePackChecks: readonly Check[] = [
  required('3.1', 'answers an invocation to the byte', async (scene) => {
    const link = await openPacked(scene)
    await exchange(link, '0e 95 01 80 a1 30 a4 45 63 68 6f 91 a2 68 69', '09 95 03 80 a1 30 03 a2 68 69')
  }),
  required('3.2', 'answers nothing and null with kind 3 and nil, to the byte', async (scene) => {
    const link = await openPacked(scene)
    await exchange(link, '11 95 01 80 a1 32 aa 56 6f 69 64 4d 65 74 68 6f 64 90', '07 95 03 80 a1 32 03 c0')
    await exchange(link, '0e 95 01 80 a1 33 a7 47 65 74 4e 75 6c 6c 90', '07 95 03 80 a1 33 03 c0')
  }),
  required('3.3', 'answers an error with kind 1, to the byte', async (scene) => {
    const link = await openPacked(scene)
    const text = Buffer.from("Failed to invoke 'Secret' because user is unauthorized").toString('hex')
    await exchange(link, '0e 95 01 80 a2 31 39 a6 53 65 63 72 65 74 90', `3f 95 03 80 a2 31 39 01 d9 36 ${text}`)
  }),
  required('3.4', 'streams items and ends with kind 2, to the byte', async (scene) => {
    const link = await openPacked(scene)
    const items = '07 94 02 80 a1 35 a1 61 07 94 02 80 a1 35 a1 62 07 94 02 80 a1 35 a1 63'
    await exchange(link, '0d 95 04 80 a1 35 a6 53 74 72 65 61 6d 90', `${items} 06 94 03 80 a1 35 02`)
  }),
  required('3.5', 'writes six elements in an invocation of its own, to the byte', async (scene) => {
    const link = await openPacked(scene)
    await link.wire.send(hex('15 95 04 80 a1 36 ae 49 6e 66 69 6e 69 74 65 53 74 72 65 61 6d 90'))
    await link.expectSilence()
    const name = Buffer.from('StreamCanceled').toString('hex')
    await exchange(link, '05 93 05 80 a1 36', `15 96 01 80 c0 ae ${name} 90 90 06 94 03 80 a1 36 02`)
  }),
  required('3.6', 'takes six elements in an invocation, and streams of the client', async (scene) => {
    const link = await openPacked(scene)
    await link.wire.send(hex('0f 96 01 80 a1 30 a4 45 63 68 6f 91 a2 68 69 90'))
    await link.expect(ECHOED)
    const name = Buffer.from('StreamingConcat').toString('hex')
    await link.wire.send(hex(`19 96 01 80 a1 38 af ${name} 90 91 a1 37`))
    await link.wire.send(hex('0c 94 02 80 a1 37 a6 48 65 6c 6c 6f 20 0b 94 02 80 a1 37 a5 77 6f 72 6c 64'))
    await exchange(link, '06 94 03 80 a1 37 02', '12 95 03 80 a1 38 03 ab 48 65 6c 6c 6f 20 77 6f 72 6c 64')
  }),
  required('3.7', 'takes arrays with more elements than it knows', async (scene) => {
    const link = await openPacked(scene)
    await link.wire.send(message(1, {}, '0', ...ECHO, [], 'new', { more: 1 }))
    await link.expect(ECHOED)
    await link.wire.send(message(6, 'new'))
    await link.wire.send(message(5, {}, 'unknown', 'new'))
    await link.expectSilence()
  }),
  required('3.8', 'takes nil and an empty string for no invocation id', async (scene) => {
    const link = await openPacked(scene)
    await link.wire.send(message(1, {}, null, ...ECHO))
    await link.wire.send(message(1, {}, '', ...ECHO))
    await link.expectSilence()
  }),
  required('3.9', 'takes headers, and ignores them', async (scene) => {
    const link = await openPacked(scene)
    await link.wire.send(message(1, { a: 'b', c: '' }, '0', ...ECHO))
    await link.expect(ECHOED)
  }),
  required('3.10', 'takes integers of any width, for types, kinds and arguments', async (scene) => {
    const link = await openPacked(scene)
    const widths = ['d0 03', 'd1 00 03', 'd2 00 00 00 03', 'd3 00 00 00 00 00 00 00 03', 'cc 03', 'cd 00 03']
    for (const width of [...widths, 'ce 00 00 00 03', 'cf 00 00 00 00 00 00 00 03']) {
      await link.wire.send(message(1, {}, 'w', 'Add', new Raw(`92 ${width} ff`)))
      await link.expect({ type: 3, invocationId: 'w', result: 2 })
    }
    await link.wire.send(message(new Raw('cc 01'), {}, '0', ...ECHO))
    await link.expect(ECHOED)
  }),
  required('3.11', 'takes lengths of several bytes, and writes them', async (scene) => {
    const link = await openPacked(scene)
    for (const length of [100, 127, 128, 300, 17_000, 32_000]) {
      await link.expectResult('x'.repeat(length), 'Echo', 'x'.repeat(length))
    }
  }),
  required('3.12', 'puts together a message that is cut at any byte', async (scene) => {
    const link = await openPacked(scene)
    const bytes = message(1, {}, '0', 'Echo', ['x'.repeat(200)])
    for (const cut of [1, 2, 3, 20, bytes.length - 1]) {
      await link.wire.send(bytes.subarray(0, cut))
      await link.wire.send(bytes.subarray(cut))
      await link.expect({ type: 3, invocationId: '0', result: 'x'.repeat(200) })
    }
  }),
  required(
    '3.13',
    'pings with 02 91 06',
    async (scene) => {
      const link = await Link.open(scene, { protocol: 'messagepack', pings: false })
      scene.waitingFor = 'a ping'
      expectEqual((await link.wire.next())?.data.toString('hex'), '029106')
    },
    { takesMs: ({ keepAliveMs }) => keepAliveMs + 2000 },
  ),
  required('3.14', 'says Close with 04 93 07 c0 c2 where the hub aborts', async (scene) => {
    const link = await openPacked(scene)
    await exchange(link, '0c 95 01 80 a1 30 a5 41 62 6f 72 74 90', '04 93 07 c0 c2')
    await link.expectEnd(1000)
  }),
  required('3.15', 'takes a Close of two elements and of three', async (scene) => {
    for (const close of ['03 92 07 c0', '04 93 07 c0 c2']) {
      const link = await openPacked(scene)
      await link.wire.send(hex(close))
      await link.expectEnd(1000)
    }
  }),
  required('3.16', 'names properties as they are, and gives bytes, dates and ids their types', async (scene) => {
    const link = await openPacked(scene)
    const invocationId = await link.start('SendCustomObject', { Name: 'n', Value: 42 })
    const CustomObject = { type: 1, target: 'CustomObject', arguments: [{ Name: 'n', Value: 42 }] }
    await link.expect(CustomObject, { type: 3, invocationId, result: null })
    await link.expectResult(
      {
        String: 'hello world',
        IntArray: [1, 2, 3],
        ByteArray: Buffer.of(1, 2, 3),
        Guid: '00010203-0405-0607-0706-050403020100',
        DateTime: new Date('2000-01-01T00:00:00Z'),
      },
      'SendComplexObject',
    )
  }),
  required('3.17', 'writes Sequence and Ack to the byte, and takes them', async (scene) => {
    const link = await openPacked(scene, true)
    for (let i = 0; i < 4; i++) await link.start('Echo', 'x')
    let ack = ''
    for (let completions = 0; completions < 4 || ack === ''; ) {
      const { type } = await link.next('completions and an Ack')
      if (type === 3) completions++
      if (type === 8) ack = 'seen'
    }
    await link.wire.send(hex('03 92 08 04'))
    await scene.pass(300)
    if (link.wire instanceof Socket) link.wire.cut()
    const path = withQuery('/testhub', { id: link.token })
    const socket = await scene.until('the connection to be taken back', () =>
      Socket.open(scene, path).catch(() => undefined),
    )
    expectEqual((await socket.next())?.data.toString('hex'), '03920905')
    await socket.send(hex('03 92 09 05'))
    await socket.send(hex('0e 95 01 80 a1 30 a4 45 63 68 6f 91 a2 68 69'))
    const pieces: string[] = []
    // With the answer come acknowledgements and pings.
    while (!pieces.join('').includes('09950380a13003a26869')) {
      const piece = await socket.next()
      expectThat(piece !== undefined, 'the answer to Echo', pieces)
      pieces.push(piece.data.toString('hex'))
    }
    const { waitingFor } = scene
    scene.waitingFor = `an Ack of 5 (after ${waitingFor})`
    while (!pieces.join('').includes('03920805')) {
      const piece = await socket.next()
      expectThat(piece !== undefined, 'an Ack of 5', pieces)
      pieces.push(piece.data.toString('hex'))
    }
  }),
  ...broken().map(([id, what, bytes]) =>
    required(`3.${id}`, `says Close with an error, and closes with 1000, after ${what}`, (scene) =>
      expectBroken(scene, bytes),
    ),
  ),
  improvement('0.5-mp', 'passes over a message of an unknown type in MessagePack, and goes on', async (scene) => {
    const link = await openPacked(scene)
    await link.wire.send(message(99, 'new', [1]))
    await link.expectSilence()
  }),
  required('3.30', 'lives through 32 KB of nested arrays, and serves others meanwhile', async (scene) => {
    const other = await openPacked(scene)
    const { token } = await negotiate(scene)
    const socket = await Socket.open(scene, withQuery('/testhub', { id: token }))
    await socket.send('{"protocol":"messagepack","version":1}\x1e')
    await socket.next()
    await socket.send(frame(Buffer.concat([hex('95 01 80 a1 30 a4 45 63 68 6f'), Buffer.alloc(32_000, 0x91)])))
    await socket.send(frame(hex('95 01 80 a1 30 a4 45 63 68 6f dd ff ff ff ff')))
    scene.waitingFor = 'the end of the connection'
    expectEqual(await socket.code(), 1000, 'close code')
    await other.expectSilence()
  }),
]

/** What breaks the protocol: its number, what it is, and the bytes. */
function broken(): readonly (readonly [id: number, what: string, bytes: Buffer])[] {
  return [
    [20, 'a message that is no array', frame(hex('a1 78'))],
    [21, 'an empty array', frame(hex('90'))],
    [22, 'a type that is a string', message('1', {}, '0', ...ECHO)],
    [23, 'an array that ends early', frame(hex('95 01 80 a1 30'))],
    [24, 'an invocation with too few elements', message(1, {}, '0')],
    [25, 'a target that is a number', message(1, {}, '0', 7, ['hi'])],
    [26, 'an invocation id that is a number', message(1, {}, 0, ...ECHO)],
    [27, 'headers that are no map', message(1, [], '0', ...ECHO)],
    [28, 'arguments that are no array', message(1, {}, '0', 'Echo', 'hi')],
    [29, 'a length of more than 5 bytes', hex('ff ff ff ff ff 01')],
  ]
}
