import { type Check, expectEqual, expectMatch, expectThat, recommended, required } from './check.ts'
import { ask } from './http.ts'
import { Link } from './link.ts'
import { overAll } from './over-all.ts'
import type { Scene } from './scene.ts'
import { Socket } from './socket.ts'

/** Lets the server invoke the method `Result` of the client, and gives what comes of it. */
async function requestResult(scene: Scene, link: Link): Promise<{ text: Promise<string>; invocationId: string }> {
  const text = ask(scene, `/clientresult/${encodeURIComponent(link.connectionId)}`).then((answer) => answer.text)
  text.catch(() => {})
  const { invocationId, ...message } = await link.next('an invocation of Result')
  expectEqual(message, { type: 1, target: 'Result', arguments: [] })
  if (typeof invocationId !== 'string') throw new TypeError('An invocation without an id asks for no result.')
  return { text, invocationId }
}

export const streamChecks: readonly Check[] = [
  ...overAll(
    required,
    'T1.1',
    'streams items in their order, and completes the stream without a result',
    async (link) => {
      const invocationId = link.createId()
      await link.send({ type: 4, invocationId, target: 'Stream', arguments: [] })
      const items = ['a', 'b', 'c'].map((item) => ({ type: 2, invocationId, item }))
      await link.expect(...items, { type: 3, invocationId })
      await link.expectSilence()
    },
  ),
  ...overAll(required, 'T1.2', 'completes an empty stream', async (link) => {
    const invocationId = link.createId()
    await link.send({ type: 4, invocationId, target: 'EmptyStream', arguments: [] })
    await link.expect({ type: 3, invocationId })
    await link.expectSilence()
  }),
  ...overAll(required, 'T1.3', 'stops a stream that is cancelled, and completes it still', async (link) => {
    const invocationId = link.createId()
    await link.send({ type: 4, invocationId, target: 'InfiniteStream', arguments: [] })
    await link.expectSilence()
    await link.send({ type: 5, invocationId })
    await link.expect({ type: 1, target: 'StreamCanceled', arguments: [] }, { type: 3, invocationId })
    await link.expectSilence()
  }),
  ...overAll(required, 'T1.4', 'reads a stream of the client', async (link) => {
    const invocationId = link.createId()
    await link.send(
      { type: 1, invocationId, target: 'StreamingConcat', arguments: [], streamIds: ['7'] },
      { type: 2, invocationId: '7', item: 'Hello ' },
      { type: 2, invocationId: '7', item: 'world' },
      { type: 3, invocationId: '7' },
    )
    await link.expect({ type: 3, invocationId, result: 'Hello world' })
    await link.expectSilence()
  }),
  ...overAll(required, 'T1.5', 'answers other messages while it streams', async (link) => {
    await link.send({ type: 4, invocationId: 'i', target: 'InfiniteStream', arguments: [] })
    await link.send({ type: 1, invocationId: 'u', target: 'StreamingConcat', arguments: [], streamIds: ['7'] })
    await link.expectSilence()
    await link.send({ type: 2, invocationId: '7', item: 'x' }, { type: 3, invocationId: '7' })
    await link.expect({ type: 3, invocationId: 'u', result: 'x' })
  }),
  required('T1.6', 'passes over what comes of a stream that has ended', async (scene) => {
    const link = await Link.open(scene)
    const invocationId = link.createId()
    await link.send({ type: 1, invocationId, target: 'StreamingConcat', arguments: [], streamIds: ['7'] })
    await link.send({ type: 3, invocationId: '7' })
    await link.expect({ type: 3, invocationId, result: '' })
    await link.send({ type: 2, invocationId: '7', item: 'late' }, { type: 3, invocationId: '7' })
    await link.send({ type: 5, invocationId })
    await link.expectSilence()
  }),
  required('1.1', "runs a client's invocations one after another", async (scene) => {
    const link = await Link.open(scene)
    const slow = await link.start('Slow', 300)
    const fast = await link.start('Echo', 'x')
    await link.expect({ type: 3, invocationId: slow, result: null }, { type: 3, invocationId: fast, result: 'x' })
  }),
  ...overAll(required, 'T2.1', 'gets a result from the client', async (link, scene) => {
    const { text, invocationId } = await requestResult(scene, link)
    await link.send({ type: 3, invocationId, result: 10 })
    expectEqual(await text, '10')
  }),
  ...overAll(required, 'T2.2', "gets the client's error", async (link, scene) => {
    const { text, invocationId } = await requestResult(scene, link)
    await link.send({ type: 3, invocationId, error: "Client didn't provide a result." })
    expectMatch(await text, /Client didn't provide a result\./)
  }),
  required('T2.3', 'waits for a result no longer than the connection lives', async (scene) => {
    const link = await Link.open(scene)
    const { text } = await requestResult(scene, link)
    if (link.wire instanceof Socket) link.wire.cut()
    scene.waitingFor = 'the end of the request for a result'
    expectThat(!/^\d+$/.test(await text), 'an error', await text)
  }),
  required('T2.4', 'takes no result from another connection', async (scene) => {
    const [link, other] = await Promise.all([Link.open(scene), Link.open(scene)])
    const { text, invocationId } = await requestResult(scene, link)
    await other.send({ type: 3, invocationId, result: 666 })
    // The answer of the other connection's next invocation comes after its completion was taken or refused.
    await other.call('Echo', 'x').catch(() => {})
    await link.send({ type: 3, invocationId, result: 10 })
    expectEqual(await text, '10')
  }),
  recommended('T2.5', 'names the invocations for results s and a number, which no client does', async (scene) => {
    const link = await Link.open(scene)
    const { text, invocationId } = await requestResult(scene, link)
    expectMatch(invocationId, /^s\d+$/)
    await link.send({ type: 3, invocationId, result: 1 })
    await text
  }),
]
