import { type Check, expectEqual, expectThat, improvement, recommended, required } from './check.ts'
import { ask, withQuery } from './http.ts'
import { Link, type LinkOptions } from './link.ts'
import { negotiate } from './negotiation.ts'
import type { Message } from './protocol.ts'
import type { Scene } from './scene.ts'
import { askUpgrade, Socket } from './socket.ts'

const OVERFLOW_COUNT = 400

const hubPath = (token: string, hub = '/testhub'): string => withQuery(hub, { id: token })

const openStateful = (scene: Scene, options: LinkOptions = {}): Promise<Link> =>
  Link.open(scene, { ...options, isStateful: true })

function cut({ wire }: Link): void {
  if (wire instanceof Socket) wire.cut()
}

/** Opens a new WebSocket for the connection, without a handshake. The server may not have seen the old one end. */
async function reopen(scene: Scene, link: Link, hub = '/testhub'): Promise<Link> {
  const socket = await scene.until('the server to take the connection back', () =>
    Socket.open(scene, hubPath(link.token, hub)).catch(() => undefined),
  )
  const { connectionId, token, protocol } = link
  return new Link(scene, socket, { connectionId, token, protocol: protocol.name })
}

/** The next message that is neither a ping nor an acknowledgement. */
async function nextCounted(link: Link): Promise<Message> {
  for (;;) {
    const message = await link.next('a message that counts')
    if (message.type !== 8) return message
  }
}

async function expectCounted(link: Link, ...expected: readonly Message[]): Promise<void> {
  for (const message of expected) expectEqual(await nextCounted(link), message)
}

/** Invokes Echo, passing over acknowledgements. */
async function echo(link: Link, text: string): Promise<void> {
  const invocationId = await link.start('Echo', text)
  await expectCounted(link, { type: 3, invocationId, result: text })
}

async function post(scene: Scene, link: Link, count: number, body = 'x'): Promise<void> {
  const path = withQuery('/post', { n: count, connection: link.connectionId })
  expectEqual((await ask(scene, path, { method: 'POST', body })).status, 200, 'status of the post')
}

/** The numbers of this many posted messages, as they come. */
async function readNumbers(link: Link, count: number): Promise<unknown[]> {
  const numbers: unknown[] = []
  for (let i = 0; i < count; i++) {
    const message = await nextCounted(link)
    const [value] = message['arguments'] as readonly { readonly seq?: unknown }[]
    numbers.push(value?.seq)
  }
  return numbers
}

/** Waits until the server says that the connection is gone. */
function untilGone(scene: Scene, link: Link): Promise<true> {
  return scene.until('404 for a connection that ended', async () =>
    (await askUpgrade(scene, hubPath(link.token))).status === 404 ? true : undefined,
  )
}

export const reconnectChecks: readonly Check[] = [
  required('R1.1', 'acknowledges the messages that count, within some seconds', async (scene) => {
    const link = await openStateful(scene)
    await link.call('Echo', 'x')
    expectEqual(await link.nextOf(8), { type: 8, sequenceId: 1 })
  }),
  required('R1.2', 'counts types 1 to 5 from 1 on, and nothing else', async (scene) => {
    const link = await openStateful(scene)
    await link.send(
      { type: 6 },
      { type: 1, target: 'VoidMethod', arguments: [] },
      { type: 8, sequenceId: 0 },
      { type: 4, invocationId: 's', target: 'EmptyStream', arguments: [] },
      { type: 5, invocationId: 'unknown' },
      { type: 2, invocationId: 'unknown', item: 1 },
      { type: 3, invocationId: 'unknown', result: 1 },
      { type: 6 },
    )
    await link.expect({ type: 3, invocationId: 's' })
    scene.waitingFor = 'Ack of 5'
    for (;;) {
      const { sequenceId } = await link.nextOf(8)
      expectThat(typeof sequenceId === 'number' && sequenceId <= 5, 'an Ack of at most 5', sequenceId)
      if (sequenceId === 5) return
    }
  }),
  ...(['json', 'messagepack'] as const).map((protocol) =>
    required(
      `R2.1-${protocol === 'json' ? 'json' : 'mp'}`,
      'takes a new WebSocket without a handshake, and sends Sequence and what was not acknowledged',
      async (scene) => {
        const link = await openStateful(scene, { protocol })
        const first = await link.start('Echo', 'one')
        await expectCounted(link, { type: 3, invocationId: first, result: 'one' })
        const second = await link.start('Echo', 'two')
        await expectCounted(link, { type: 3, invocationId: second, result: 'two' })
        await link.send({ type: 8, sequenceId: 1 })
        // The acknowledgement is taken before the connection is cut.
        const third = await link.start('Echo', 'three')
        await expectCounted(link, { type: 3, invocationId: third, result: 'three' })
        cut(link)
        const again = await reopen(scene, link)
        await expectCounted(
          again,
          { type: 9, sequenceId: 2 },
          { type: 3, invocationId: second, result: 'two' },
          { type: 3, invocationId: third, result: 'three' },
        )
        await again.send({ type: 9, sequenceId: 4 })
        await echo(again, 'four')
      },
    ),
  ),
  required('R2.2', 'says the number of its next message where all was acknowledged', async (scene) => {
    const link = await openStateful(scene)
    await echo(link, 'one')
    await link.send({ type: 8, sequenceId: 1 }, { type: 6 })
    const slow = await link.start('Echo', 'two')
    await expectCounted(link, { type: 3, invocationId: slow, result: 'two' })
    await link.send({ type: 8, sequenceId: 2 })
    await scene.pass(300)
    cut(link)
    const again = await reopen(scene, link)
    await expectCounted(again, { type: 9, sequenceId: 3 })
    await again.send({ type: 9, sequenceId: 3 })
    await echo(again, 'three')
  }),
  required('R2.3', 'keeps what is sent while the client is away, in order and once', async (scene) => {
    const link = await openStateful(scene)
    await post(scene, link, 3)
    expectEqual(await readNumbers(link, 3), [0, 1, 2])
    await link.send({ type: 8, sequenceId: 3 }, { type: 6 })
    await echo(link, 'x')
    cut(link)
    await post(scene, link, 4)
    const again = await reopen(scene, link)
    await expectCounted(again, { type: 9, sequenceId: 4 })
    expectEqual((await nextCounted(again)).type, 3, 'type of the message that was not acknowledged')
    await again.send({ type: 9, sequenceId: 2 })
    expectEqual(await readNumbers(again, 4), [0, 1, 2, 3])
    await echo(again, 'y')
  }),
  required('R2.4', 'does not do again what the client sends again', async (scene) => {
    const link = await openStateful(scene)
    await link.send({ type: 1, target: 'InvokeWithString', arguments: ['one'] })
    await expectCounted(link, { type: 1, target: 'Message', arguments: ['one'] })
    cut(link)
    const again = await reopen(scene, link)
    await expectCounted(again, { type: 9, sequenceId: 1 }, { type: 1, target: 'Message', arguments: ['one'] })
    await again.send(
      { type: 9, sequenceId: 1 },
      { type: 1, target: 'InvokeWithString', arguments: ['one'] },
      { type: 1, target: 'InvokeWithString', arguments: ['two'] },
    )
    await expectCounted(again, { type: 1, target: 'Message', arguments: ['two'] })
    await echo(again, 'x')
    expectEqual(await again.nextOf(8), { type: 8, sequenceId: 3 })
  }),
  required('R2.5', 'closes with an error where the client skips numbers', async (scene) => {
    const link = await openStateful(scene)
    await echo(link, 'x')
    cut(link)
    const again = await reopen(scene, link)
    await again.send({ type: 9, sequenceId: 50 })
    const close = await again.nextOf(7)
    expectThat(typeof close['error'] === 'string' && close['error'] !== '', 'a Close with an error', close)
    await again.expectEnd(1000)
    await untilGone(scene, link)
  }),
  recommended('R2.6', 'passes over what comes on a new WebSocket before the Sequence, but for pings', async (scene) => {
    const link = await openStateful(scene)
    await echo(link, 'x')
    await link.send({ type: 8, sequenceId: 1 }, { type: 6 })
    await echo(link, 'y')
    cut(link)
    const again = await reopen(scene, link)
    await again.send(
      { type: 6 },
      { type: 1, invocationId: 'early', target: 'Echo', arguments: ['early'] },
      { type: 9, sequenceId: 3 },
    )
    await again.nextOf(9)
    await again.nextOf(3)
    await echo(again, 'z')
  }),
  required('R2.7', 'keeps the connection id, the groups and what onConnected did', async (scene) => {
    const link = await openStateful(scene)
    const group = `g-${link.connectionId}`
    const joined = await link.start('JoinGroup', group)
    await expectCounted(link, { type: 3, invocationId: joined, result: null })
    cut(link)
    const again = await reopen(scene, link)
    await expectCounted(again, { type: 9, sequenceId: 1 }, { type: 3, invocationId: joined, result: null })
    await again.send({ type: 9, sequenceId: 2 })
    const asked = await again.start('GetCallerConnectionId')
    await expectCounted(again, { type: 3, invocationId: asked, result: link.connectionId })
    await again.send({ type: 1, target: 'SendGroup', arguments: [group, 'hi'] })
    await expectCounted(again, { type: 1, target: 'message', arguments: ['hi'] })
  }),
  required('R2.8', 'takes absurd numbers in Ack for what they are: no other connection notices', async (scene) => {
    const other = await Link.open(scene)
    for (const sequenceId of [0, 1_000_000, Number.MAX_SAFE_INTEGER, -1]) {
      const link = await openStateful(scene)
      await echo(link, 'x')
      await link.send({ type: 8, sequenceId })
      const invocationId = await link.start('Echo', 'y')
      const message = await nextCounted(link)
      const isAnswered = message.type === 3 && message['invocationId'] === invocationId
      const isClosed = message.type === 7 && typeof message['error'] === 'string'
      expectThat(isAnswered || isClosed, `an answer, or Close with an error, after Ack ${sequenceId}`, message)
      await other.expectSilence()
    }
  }),
  required('R2.9', 'takes absurd numbers in Sequence for what they are: no other connection notices', async (scene) => {
    const other = await Link.open(scene)
    for (const sequenceId of [0, -1, Number.MAX_SAFE_INTEGER]) {
      const link = await openStateful(scene)
      await echo(link, 'x')
      cut(link)
      const again = await reopen(scene, link)
      await again.send({ type: 9, sequenceId }, { type: 6 })
      // Those that count as known by the number are dropped; of so many, one is beyond it.
      for (let i = 0; i < 4; i++) await again.start('Echo', `y${i}`)
      for (let message = await again.next(); message.type !== 7; message = await again.next()) {
        if (message['result'] === 'y3') break
      }
      await other.expectSilence()
    }
  }),
  improvement('0.2', 'says nothing that counts before the first message after the handshake', async (scene) => {
    const hub = '/hellohub'
    const negotiated = await negotiate(scene, hub, { isStateful: true })
    const socket = await Socket.open(scene, hubPath(negotiated.token, hub))
    await socket.send('{"protocol":"json","version":2}\x1e')
    expectEqual((await socket.next())?.data.toString(), '{}\x1e', 'answer to the handshake, alone in its frame')
    await scene.pass(30)
    expectEqual(socket.waitingCount, 0, 'frames before the first ping of the client')
    const link = new Link(scene, socket, negotiated)
    await link.send({ type: 6 })
    await expectCounted(
      link,
      { type: 1, target: 'message', arguments: [{ seq: -2 }] },
      { type: 1, target: 'message', arguments: [{ seq: -1 }] },
    )
    await link.send({ type: 8, sequenceId: 2 }, { type: 6 })
    await scene.pass(300)
    cut(link)
    const again = await reopen(scene, link, hub)
    await expectCounted(again, { type: 9, sequenceId: 3 })
  }),
  required('R3.1', 'forgets the connection where the client closes the WebSocket properly', async (scene) => {
    const link = await openStateful(scene)
    await echo(link, 'x')
    if (link.wire instanceof Socket) link.wire.close()
    await link.wire.next()
    await untilGone(scene, link)
  }),
  required('R3.2', 'forgets the connection after a Close message of either side', async (scene) => {
    const left = await openStateful(scene)
    await left.send({ type: 7 })
    await untilGone(scene, left)
    const aborted = await openStateful(scene)
    await aborted.send({ type: 1, target: 'Abort', arguments: [] })
    expectEqual(await aborted.nextOf(7), { type: 7 })
    await untilGone(scene, aborted)
  }),
  required(
    'R3.3',
    'keeps a connection whose TCP is lost for the disconnect timeout, and no longer',
    async (scene) => {
      const [kept, forgotten] = await Promise.all([openStateful(scene), openStateful(scene)])
      await Promise.all([echo(kept, 'x'), echo(forgotten, 'x')])
      cut(kept)
      cut(forgotten)
      await scene.pass(scene.settings.disconnectMs * 0.6)
      const again = await reopen(scene, kept)
      await expectCounted(again, { type: 9, sequenceId: 1 })
      await scene.pass(scene.settings.disconnectMs * 0.4 + 3000)
      expectEqual((await askUpgrade(scene, hubPath(forgotten.token))).status, 404, 'status after the timeout')
    },
    { takesMs: ({ disconnectMs }) => disconnectMs + 3000 },
  ),
  improvement('0.3', 'lets a new WebSocket take over at once from one that looks open', async (scene) => {
    const link = await openStateful(scene)
    await echo(link, 'x')
    const startedAt = performance.now()
    const socket = await Socket.open(scene, hubPath(link.token))
    const again = new Link(scene, socket, { connectionId: link.connectionId, token: link.token })
    await expectCounted(again, { type: 9, sequenceId: 1 })
    const ms = Math.round(performance.now() - startedAt)
    expectThat(ms < 2000, 'within 2 s', `${ms} ms`)
    await nextCounted(again)
    await again.send({ type: 9, sequenceId: 2 })
    await echo(again, 'y')
    if (link.wire instanceof Socket) await link.wire.code()
  }),
  improvement(
    '0.4',
    'is not held up by a client that is away and whose buffer is full, nor lets it miss some',
    async (scene) => {
      const [away, other] = await Promise.all([openStateful(scene), Link.open(scene)])
      await echo(away, 'x')
      cut(away)
      const startedAt = performance.now()
      // More than the 100,000 bytes that are kept for it.
      await post(scene, away, OVERFLOW_COUNT, 'x'.repeat(1000))
      await post(scene, other, 1)
      expectEqual(await readNumbers(other, 1), [0], 'what another client gets')
      const ms = Math.round(performance.now() - startedAt)
      expectThat(ms < 5000, 'within 5 s', `${ms} ms`)
      // Either it is told that it can't be taken back, or it gets everything.
      const socket = await Socket.open(scene, hubPath(away.token)).catch(() => undefined)
      if (!socket) return
      const again = new Link(scene, socket, { connectionId: away.connectionId, token: away.token })
      if ((await nextCounted(again)).type === 7) return
      expectEqual((await nextCounted(again)).type, 3, 'type of the message that was not acknowledged')
      const all = Array.from({ length: OVERFLOW_COUNT }, (_, seq) => seq)
      expectEqual(await readNumbers(again, OVERFLOW_COUNT), all, 'what was posted meanwhile')
    },
  ),
]
