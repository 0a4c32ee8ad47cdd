import { type Check, expectEqual, expectMatch, required } from './check.ts'
import { EventStream } from './event-stream.ts'
import { ask, expectAnswer, typeOf, withQuery } from './http.ts'
import { Link } from './link.ts'
import { negotiate } from './negotiation.ts'
import type { Scene } from './scene.ts'

const HANDSHAKE = '{"protocol":"json","version":1}\x1e'

async function openEvents(scene: Scene, hub = '/testhub', accept?: string): Promise<EventStream> {
  const { token } = await negotiate(scene, hub)
  return EventStream.open(scene, hub, token, accept === undefined ? {} : { accept })
}

export const sseChecks: readonly Check[] = [
  required('S1.1', 'answers with the headers of an event stream that nobody stores or compresses', async (scene) => {
    const events = await openEvents(scene)
    expectEqual(typeOf(events), 'text/event-stream', 'Content-Type')
    expectMatch(events.headers.get('cache-control'), /^no-cache, ?no-store$/, 'Cache-Control')
    expectEqual(events.headers.get('pragma'), 'no-cache', 'Pragma')
    expectEqual(events.headers.get('content-encoding'), 'identity', 'Content-Encoding')
  }),
  required('S1.2', 'writes an empty comment at once, before anything else', async (scene) => {
    const events = await openEvents(scene)
    expectEqual(await events.nextBlock(), ':\r\n', 'first bytes')
  }),
  required('S1.3', 'opens an event stream where the client accepts other types too', async (scene) => {
    for (const accept of ['text/event-stream, */*', 'application/json, text/event-stream;q=0.9']) {
      const events = await openEvents(scene, '/testhub', accept)
      expectEqual(typeOf(events), 'text/event-stream', accept)
    }
  }),
  required('S2.1', 'writes one event for what goes out at once, to the byte', async (scene) => {
    const events = await openEvents(scene)
    await events.send(HANDSHAKE)
    expectEqual(await events.nextBlock(), ':\r\n', 'first bytes')
    expectEqual(await events.nextBlock(), 'data: {}\x1e\r\n\r\n', 'answer to the handshake')
    await events.send('{"type":1,"invocationId":"1","target":"Echo","arguments":["hi"]}\x1e')
    const completion = '{"type":3,"invocationId":"1","result":"hi"}\x1e'
    expectEqual(await events.nextBlock(), `data: ${completion}\r\n\r\n`, 'answer to Echo')
  }),
  required('S2.2', 'writes a data line for each line of what it sends', async (scene) => {
    const events = await openEvents(scene, '/echo')
    await events.send('a\nb\r\nc')
    expectEqual(await events.nextBlock(), ':\r\n', 'first bytes')
    expectEqual(await events.nextBlock(), 'data: a\r\ndata: b\r\ndata: c\r\n\r\n')
  }),
  required('S3.1', 'refuses the MessagePack protocol with the reason, and ends', async (scene) => {
    const events = await openEvents(scene)
    await events.send('{"protocol":"messagepack","version":1}\x1e')
    const error =
      "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."
    expectEqual((await events.next())?.data.toString(), `${JSON.stringify({ error })}\x1e`)
    expectEqual(await events.next(), undefined, 'after it')
  }),
  required('S4.1', 'forgets the connection when the client closes the stream', async (scene) => {
    const { token } = await negotiate(scene)
    const path = withQuery('/testhub', { id: token })
    const events = await EventStream.open(scene, '/testhub', token)
    await events.send(HANDSHAKE)
    events.cut()
    await scene.until('404 after the stream was closed', async () => {
      const { status } = await ask(scene, path, { method: 'POST', body: '{"type":6}\x1e' })
      return status === 404 ? true : undefined
    })
  }),
  required('S4.2', 'refuses DELETE with 400 and the reason', async (scene) => {
    const { token } = await negotiate(scene)
    await EventStream.open(scene, '/testhub', token)
    const answer = await ask(scene, withQuery('/testhub', { id: token }), { method: 'DELETE' })
    expectAnswer(answer, 400, 'text/plain', 'Cannot terminate this connection using the DELETE endpoint.')
  }),
  required(
    'S4.3',
    'pings on the stream while it has nothing to say',
    async (scene) => {
      const link = await Link.open(scene, { transport: 'ServerSentEvents', pings: false })
      await scene.pass(scene.settings.keepAliveMs + 2500)
      await link.expectSilence()
      expectEqual(link.pings >= 1, true, 'whether a ping came')
    },
    { takesMs: ({ keepAliveMs }) => keepAliveMs + 2500 },
  ),
  required('S4.4', 'ends the stream after the Close message of the server', async (scene) => {
    const link = await Link.open(scene, { transport: 'ServerSentEvents' })
    await link.start('Abort')
    await link.expect({ type: 7 })
    await link.expectEnd()
    expectEqual((await ask(scene, withQuery('/testhub', { id: link.token }))).status, 404, 'status afterwards')
  }),
]
