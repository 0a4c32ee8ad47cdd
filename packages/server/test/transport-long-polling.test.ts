import { afterEach, describe, expect, it } from 'vitest'
import { ChannelError } from '../src/channel/channel-error.ts'
import { range } from './channel-scene.ts'
import { ask, HANDSHAKE, negotiateUrl, openStream, post, RECORD_END, startAsking } from './transport-http.ts'
import { openTransportScene, type TransportScene, type TransportSceneOptions } from './transport-scene.ts'
import { until } from './until.ts'

const NOT_CACHED = {
  'cache-control': 'no-cache, no-store',
  pragma: 'no-cache',
  expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
}

/** Answers that don't fit into the buffers of the system, so that they are under way for long. */
const LARGE_ANSWERS = { limits: { highWaterMarkBytes: 33_554_432, stalledReaderMs: 60_000 } }

let scene: TransportScene

async function open(options?: TransportSceneOptions): Promise<string> {
  scene = await openTransportScene(options)
  return negotiateUrl(scene.url)
}

/** Negotiates, opens, shakes hands. */
async function connect(options?: TransportSceneOptions): Promise<string> {
  const own = await open(options)
  await ask(own)
  await post(own, HANDSHAKE).answer
  expect((await ask(own)).text).toBe(`{}${RECORD_END}`)
  return own
}

/** Ends when the server has the poll: it is answered in the order of arrival. */
async function poll(own: string): Promise<ReturnType<typeof startAsking>> {
  const question = startAsking(own)
  await new Promise((resolve) => question.request.once('finish', resolve))
  await ask(scene.url)
  return question
}

afterEach(() => scene.close())

describe('long polling', () => {
  it('answers the first poll at once, and the next when there is something to say (L1, L2)', async () => {
    const own = await open()
    const first = await ask(`${own}&_=1795467414789`)
    expect(first).toMatchObject({ status: 200, text: '' })
    expect(first.headers).toMatchObject({
      ...NOT_CACHED,
      'content-type': 'application/octet-stream',
      'content-length': '0',
    })
    const second = await poll(`${own}&_=1795467414790`)
    expect(second.isAnswered()).toBe(false)
    await post(own, HANDSHAKE).answer
    const answer = await second.answer
    expect(answer).toMatchObject({ status: 200, text: `{}${RECORD_END}` })
    expect(answer.headers).toMatchObject({
      ...NOT_CACHED,
      'content-type': 'application/octet-stream',
      'content-length': '3',
    })
  })

  it('keeps what is said while no poll waits, and brings all of it with the next (L2)', async () => {
    const own = await connect()
    for (const body of ['one', 'two', 'three']) await scene.post(body)
    const { text, status } = await ask(own)
    expect(status).toBe(200)
    expect(text.split(RECORD_END)).toHaveLength(4)
    expect(text).toMatch(/one.*two.*three/)
  })

  it('keeps what is said while a poll is broken off (L2)', async () => {
    const own = await connect()
    const broken = await poll(own)
    broken.request.destroy()
    await scene.post('one')
    await scene.post('two')
    expect((await ask(own)).text).toMatch(/one.*two/)
  })

  it('brings what an answer that broke on its way did not bring, before what came after it', async () => {
    const own = await connect(LARGE_ANSWERS)
    const large = 'x'.repeat(200_000)
    const connection = await scene.connected(1)
    const opening = openStream(own, { Accept: '*/*' })
    await ask(scene.url)
    await scene.channel.post(Array.from({ length: 60 }, (_, n) => ({ sender: 'Test', body: [n, large] })))
    const slow = await opening
    slow.response.pause()
    expect(connection.bufferedBytes).toBeGreaterThan(60 * 200_000)
    const next = await poll(own)
    await scene.post([60, ''])
    await ask(scene.url)
    expect(next.isAnswered()).toBe(false)
    slow.request.destroy()
    const rest: number[] = []
    for (let answer = await next.answer; ; answer = await ask(own)) {
      for (const record of answer.text.split(RECORD_END).filter(Boolean)) {
        const message = JSON.parse(record) as { arguments: [{ Body: [number, string] }] }
        rest.push(message.arguments[0].Body[0])
      }
      if (rest.includes(60)) break
    }
    expect(rest).toEqual(range(0, 60))
  })

  it('answers a poll for which nothing came, empty (L2)', async () => {
    const own = await connect()
    const waiting = await poll(own)
    scene.clock.advance(scene.limits.pollTimeoutMs)
    const answer = await waiting.answer
    expect(answer).toMatchObject({ status: 200, text: '' })
    expect(answer.headers).toMatchObject({ ...NOT_CACHED, 'content-type': 'text/plain', 'content-length': '0' })
    await scene.post('after')
    expect((await ask(own)).text).toContain('after')
  })

  it('ends a poll with 204 when a newer one comes (L2)', async () => {
    const own = await connect()
    const older = await poll(own)
    const newer = await poll(own)
    const answer = await older.answer
    expect(answer).toMatchObject({ status: 204, text: '' })
    expect(answer.headers).toMatchObject(NOT_CACHED)
    expect(newer.isAnswered()).toBe(false)
    await scene.post('one')
    expect((await newer.answer).text).toContain('one')
  })

  it('ends with DELETE: 202, 204 for the poll that waits, and 404 after it (L3)', async () => {
    const own = await connect()
    const waiting = await poll(own)
    const answer = await ask(own, { method: 'DELETE' })
    expect(answer).toMatchObject({ status: 202, text: '', reason: 'Accepted' })
    expect(answer.headers).toMatchObject({ 'content-type': 'text/plain', 'content-length': '0' })
    expect((await waiting.answer).status).toBe(204)
    expect(scene.connections[0]?.state).toBe('closed')
    for (const method of ['GET', 'POST', 'DELETE']) {
      expect(await ask(own, { method })).toMatchObject({ status: 404, text: 'No Connection with that ID' })
    }
  })

  it('can not be deleted before it is open, as in .NET (L3)', async () => {
    const own = await open()
    expect((await ask(own, { method: 'DELETE' })).status).toBe(400)
    expect((await ask(own)).status).toBe(200)
  })

  it('brings the Close message with a poll, 204 with the next, and 404 after it (L3)', async () => {
    const own = await connect()
    const waiting = await poll(own)
    scene.connections[0]?.close(new ChannelError('server_shutdown', 'Bye.'))
    expect(await waiting.answer).toMatchObject({
      status: 200,
      text: `{"type":7,"error":"server_shutdown: Bye.","allowReconnect":true}${RECORD_END}`,
    })
    await scene.emptied()
    expect(await ask(own)).toMatchObject({ status: 204, text: '' })
    expect((await ask(own)).status).toBe(404)
  })

  it('is over for the server when the client has the Close message, and soon where it does not come for it', async () => {
    const own = await connect()
    const other = await negotiateUrl(scene.url)
    await ask(other)
    await poll(own)
    const closed = scene.shutDown()
    await until(() => scene.connectionCount === 1, 'the client that polls has it')
    scene.clock.advance(scene.limits.closeTimeoutMs)
    await closed
    expect((await ask(other)).status).toBe(404)
    expect((await ask(own)).status).toBe(404)
  })

  it('takes the goodbye and the DELETE of a client that was told the end, as the traces show (L3)', async () => {
    const own = await connect()
    const waiting = await poll(own)
    scene.connections[0]?.close(new ChannelError('server_shutdown', 'Bye.'))
    await waiting.answer
    expect((await post(own, `{"type":7}${RECORD_END}`).answer).status).toBe(200)
    expect((await ask(own, { method: 'DELETE' })).status).toBe(202)
    await scene.emptied()
  })

  it('sends no pings, and misses none (L4)', async () => {
    const own = await connect()
    await post(own, `{"type":6}${RECORD_END}`).answer
    const waiting = await poll(own)
    scene.clock.advance(scene.limits.clientTimeoutMs + scene.limits.keepAliveIntervalMs + 2000)
    await ask(scene.url)
    expect(waiting.isAnswered()).toBe(false)
    await scene.post('one')
    expect((await waiting.answer).text.split(RECORD_END)).toHaveLength(2)
  })

  it.each([
    ['after it was opened', async (own: string) => void (await ask(own))],
    [
      'after a poll was answered',
      async (own: string) => void (await ask(own), await post(own, HANDSHAKE).answer, await ask(own)),
    ],
  ])('gives a client up that does not poll for the time that is given: %s (L4)', async (_, begin) => {
    const own = await open({ limits: { handshakeTimeoutMs: 60_000 } })
    await begin(own)
    expect(scene.connectionCount).toBe(1)
    scene.clock.advance(scene.limits.disconnectTimeoutMs - 1)
    expect(scene.connectionCount).toBe(1)
    scene.clock.advance(1)
    expect(scene.connectionCount).toBe(0)
    expect((await ask(own)).status).toBe(404)
  })

  it('is not given up while a poll waits, nor while an answer is on its way (L4)', async () => {
    const own = await connect(LARGE_ANSWERS)
    const opening = openStream(own, { Accept: '*/*' })
    await ask(scene.url)
    scene.clock.advance(scene.limits.disconnectTimeoutMs * 2)
    await scene.channel.post(Array.from({ length: 60 }, () => ({ sender: 'Test', body: 'x'.repeat(200_000) })))
    const connection = await scene.connected(1)
    const waiting = await opening
    waiting.response.pause()
    expect(connection.bufferedBytes).toBeGreaterThan(60 * 200_000)
    scene.clock.advance(scene.limits.disconnectTimeoutMs + 1000)
    expect(connection.state).toBe('open')
    waiting.request.destroy()
  })

  it('is who the newest request says, as long as it is the same user (L4)', async () => {
    let expiresAt = 0
    scene = await openTransportScene({ authenticate: () => ({ user: 'anna', expiresAt }) })
    expiresAt = scene.clock.now() + 5000
    const own = await negotiateUrl(scene.url)
    await ask(own)
    await post(own, HANDSHAKE).answer
    expiresAt = scene.clock.now() + 60_000
    await ask(own)
    scene.clock.advance(10_000)
    expect(scene.connections[0]?.state).toBe('open')
    scene.clock.advance(4000)
    const waiting = await poll(own)
    scene.clock.advance(60_000)
    expect((await waiting.answer).text).toContain('authentication_expired')
  })
})
