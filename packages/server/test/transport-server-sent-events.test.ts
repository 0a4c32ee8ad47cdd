import { type Codec, jsonCodec } from '@serverchannel/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { range } from './channel-scene.ts'
import { ask, HANDSHAKE, negotiateUrl, openStream, post, RECORD_END, startAsking } from './transport-http.ts'
import { openTransportScene, type TransportScene, type TransportSceneOptions } from './transport-scene.ts'
import { until } from './until.ts'

let scene: TransportScene

async function open(options?: TransportSceneOptions): Promise<string> {
  scene = await openTransportScene(options)
  return negotiateUrl(scene.url)
}

afterEach(() => scene.close())

describe('server-sent events', () => {
  it.each(['text/event-stream', 'text/event-stream, */*', 'application/json, text/event-stream;q=0.9'])(
    'are chosen by Accept, with their headers and first bytes at once (S1): %s',
    async (accept) => {
      const own = await open()
      const { response, text } = await openStream(own, { Accept: accept })
      expect(response.statusCode).toBe(200)
      expect(response.headers).toMatchObject({
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache,no-store',
        pragma: 'no-cache',
        'content-encoding': 'identity',
        'transfer-encoding': 'chunked',
      })
      await until(() => text() !== '', 'the first bytes have come')
      expect(text()).toBe(':\r\n')
    },
  )

  it('are events of whole hub messages, of which one may hold several (S2)', async () => {
    const own = await open()
    const { text } = await openStream(own)
    await post(own, HANDSHAKE).answer
    await until(() => text().includes('{}'), 'the handshake is answered')
    expect(text()).toBe(`:\r\ndata: {}${RECORD_END}\r\n\r\n`)
    await scene.channel.post(range(1, 3).map((body) => ({ sender: 'Test', body: `a\n\r\n${body}` })))
    await until(() => text().endsWith('\r\n\r\n') && text().includes('\\n3'), 'the messages have come')
    const event = text().slice(text().indexOf('{}') + '{}\x1e\r\n\r\n'.length)
    expect(event.match(/data: /g)).toHaveLength(1)
    expect(event).toMatch(/^data: [^\r\n]*\r\n\r\n$/)
    expect(event.split(RECORD_END)).toHaveLength(4)
  })

  it('are text only: another protocol is refused in the handshake (S3)', async () => {
    const binary = { ...jsonCodec, name: 'messagepack', transferFormat: 'Binary' } as Codec
    const own = await open({ codecs: [jsonCodec, binary] })
    const { text, isEnded } = await openStream(own)
    await post(own, `{"protocol":"messagepack","version":1}${RECORD_END}`).answer
    await until(isEnded, 'the stream has ended')
    const error =
      "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."
    expect(text()).toBe(`:\r\ndata: {"error":"${error}"}${RECORD_END}\r\n\r\n`)
    await scene.emptied()
  })

  it('end with the client, and then there is no such connection (S4)', async () => {
    const own = await open()
    const { request } = await openStream(own)
    await post(own, HANDSHAKE).answer
    expect(await ask(own, { method: 'DELETE' })).toMatchObject({
      status: 400,
      text: 'Cannot terminate this connection using the DELETE endpoint.',
    })
    expect(scene.connectionCount).toBe(1)
    request.destroy()
    await scene.emptied()
    expect(await ask(own, { method: 'POST', body: '{"type":7}\x1e' })).toMatchObject({
      status: 404,
      text: 'No Connection with that ID',
    })
  })

  it('end when the client says that it leaves', async () => {
    const own = await open()
    const { text, isEnded } = await openStream(own)
    await post(own, HANDSHAKE).answer
    expect((await post(own, `{"type":7}${RECORD_END}`).answer).status).toBe(200)
    await until(isEnded, 'the stream has ended')
    expect(text()).toBe(`:\r\ndata: {}${RECORD_END}\r\n\r\n`)
    await scene.emptied()
  })

  it('bring pings (S4), and end with a client that has pinged and is silent', async () => {
    const own = await open()
    const { text, isEnded } = await openStream(own)
    await post(own, `${HANDSHAKE}{"type":6}${RECORD_END}`).answer
    scene.clock.advance(scene.limits.keepAliveIntervalMs + 1000)
    await until(() => text().includes('"type":6'), 'a ping has come')
    expect(text().endsWith(`data: {"type":6}${RECORD_END}\r\n\r\n`)).toBe(true)
    scene.clock.advance(scene.limits.clientTimeoutMs)
    await until(isEnded, 'the stream has ended')
    expect(text()).toContain('{"type":7,"error":"Connection closed with an error.","allowReconnect":true}')
  })
})

describe('what clients POST', () => {
  it('is answered 200, empty, when it is taken (P1)', async () => {
    const own = await open()
    await openStream(own)
    await post(own, HANDSHAKE).answer
    for (const type of ['text/plain;charset=UTF-8', 'application/octet-stream', 'application/json']) {
      const answer = await post(own, `{"type":6}${RECORD_END}`, { 'Content-Type': type }).answer
      expect(answer).toMatchObject({ status: 200, text: '' })
      expect(answer.headers).toMatchObject({ 'content-type': 'text/plain', 'content-length': '0' })
    }
  })

  it('may come in chunks of unknown length (P1)', async () => {
    const own = await open()
    const { text } = await openStream(own)
    const { request, answer, isAnswered } = startAsking(own, { method: 'POST', isOpen: true })
    for (const part of HANDSHAKE) request.write(part)
    await ask(scene.url)
    expect(isAnswered()).toBe(false)
    request.end()
    expect((await answer).status).toBe(200)
    await until(() => text().includes('{}'), 'the handshake is answered')
  })

  it('is 405 for a WebSocket, and 404 once it is closed (P2)', async () => {
    const own = await open()
    const webSocket = new WebSocket(own.replace('http', 'ws'))
    await new Promise((resolve) => webSocket.once('open', resolve))
    expect(await post(own, HANDSHAKE).answer).toMatchObject({
      status: 405,
      text: 'POST requests are not allowed for WebSocket connections.',
    })
    expect(await ask(own, { method: 'DELETE' })).toMatchObject({
      status: 400,
      text: 'Cannot terminate this connection using the DELETE endpoint.',
    })
    webSocket.close()
    await scene.emptied()
    expect((await post(own, HANDSHAKE).answer).status).toBe(404)
  })

  it('is kept from before the first GET, within a bound (P2)', async () => {
    const own = await open({ limits: { receivedFrameBytesMax: 2048 } })
    expect((await post(own, HANDSHAKE.slice(0, 7)).answer).status).toBe(200)
    expect((await post(own, HANDSHAKE.slice(7)).answer).status).toBe(200)
    expect((await post(own, `{"type":6}${RECORD_END}`.repeat(100)).answer).status).toBe(200)
    const refused = await post(own, 'x'.repeat(1000)).answer
    expect(refused.status).toBe(413)
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'request_too_large' })
    const { text, isEnded } = await openStream(own)
    await until(() => text().includes('{}'), 'the handshake is answered')
    expect(isEnded()).toBe(false)
  })

  it('is taken in the order in which it came, though an earlier body takes longer (P2)', async () => {
    const own = await open()
    const { text } = await openStream(own)
    await post(own, HANDSHAKE).answer
    const call = (id: number): string => `{"type":1,"invocationId":"${id}","target":"X","arguments":[]}${RECORD_END}`
    const first = startAsking(own, { method: 'POST', isOpen: true })
    first.request.write(call(1).slice(0, 20))
    // Answered after the first one's beginning came.
    await ask(scene.url)
    const second = post(own, call(2))
    await ask(scene.url)
    expect(second.isAnswered()).toBe(false)
    first.request.end(call(1).slice(20))
    expect((await first.answer).status).toBe(200)
    expect((await second.answer).status).toBe(200)
    await until(() => text().includes('"invocationId":"2"'), 'both calls are answered')
    expect([...text().matchAll(/"invocationId":"(\d)"/g)].map(([, id]) => id)).toEqual(['1', '2'])
  })

  it('holds nobody up where its client goes away in the middle of it', async () => {
    const own = await open()
    const { text } = await openStream(own)
    const broken = startAsking(own, { method: 'POST', isOpen: true })
    broken.request.write('{"protocol"')
    await ask(scene.url)
    const next = post(own, HANDSHAKE)
    broken.request.destroy()
    expect((await next.answer).status).toBe(200)
    await until(() => text().includes('{}'), 'the handshake is answered')
  })

  it('is 413 above the bound, told or not, and the connection lives', async () => {
    const own = await open()
    const { text } = await openStream(own)
    const large = 'x'.repeat(scene.limits.receivedFrameBytesMax + 1)
    expect((await post(own, large).answer).status).toBe(413)
    const untold = startAsking(own, { method: 'POST', isOpen: true })
    untold.request.end(large)
    expect((await untold.answer).status).toBe(413)
    expect((await post(own, HANDSHAKE).answer).status).toBe(200)
    await until(() => text().includes('{}'), 'the handshake is answered')
  })
})
