import { afterEach, describe, expect, it } from 'vitest'
import { range } from './channel-scene.ts'
import { createEventReader } from './transport-clients.ts'
import { ask, openStream, type Stream } from './transport-http.ts'
import { openTransportScene, type TransportScene, type TransportSceneOptions } from './transport-scene.ts'
import { until } from './until.ts'

interface StreamEvent {
  readonly event: string
  readonly data: string
  readonly id: string | undefined
}

let scene: TransportScene

async function open(options?: TransportSceneOptions): Promise<string> {
  scene = await openTransportScene(options)
  return `${scene.url}/events`
}

/** A stream and its events, once there are so many. */
async function read(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ stream: Stream; events(count: number): Promise<readonly StreamEvent[]> }> {
  const all: StreamEvent[] = []
  const stream = await openStream(url, headers)
  stream.response.on(
    'data',
    createEventReader((event) => all.push(event)),
  )
  return {
    stream,
    async events(count) {
      await until(() => all.length >= count, `${count} events have come`)
      return all
    },
  }
}

afterEach(() => scene.close())

describe('the plain event stream', () => {
  it('begins with its headers, its first bytes and the position', async () => {
    const { stream, events } = await read(await open())
    expect(stream.response.statusCode).toBe(200)
    expect(stream.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache,no-store',
      'content-encoding': 'identity',
    })
    expect(await events(1)).toEqual([
      { event: 'ChannelState', data: '{"epoch":"epoch-1","offset":0}', id: 'epoch-1:0' },
    ])
    expect(stream.text().startsWith(':\r\n')).toBe(true)
  })

  it('is one event for each message: its JSON, with its position as the id', async () => {
    const { events } = await read(await open())
    await events(1)
    await scene.channel.post([{ sender: 'OrderChanged', body: { id: 42 }, bodyTypeName: 'Order' }])
    const [, message] = await events(2)
    expect(message).toMatchObject({ event: '', id: 'epoch-1:1' })
    expect(JSON.parse(message?.data ?? '')).toEqual({
      Id: expect.any(String),
      Header: { Sender: 'OrderChanged', BodyTypeName: 'Order' },
      Body: { id: 42 },
      Position: 'epoch-1:1',
    })
  })

  it('goes on where Last-Event-ID says, and says so', async () => {
    const url = await open()
    for (const n of range(1, 5)) await scene.post(n)
    const { events } = await read(url, { 'Last-Event-ID': 'epoch-1:2' })
    const all = await events(4)
    expect(all.slice(0, 3).map(({ id, data }) => [id, (JSON.parse(data) as { Body: number }).Body])).toEqual([
      ['epoch-1:3', 3],
      ['epoch-1:4', 4],
      ['epoch-1:5', 5],
    ])
    expect(all[3]).toEqual({
      event: 'ChannelState',
      data: '{"epoch":"epoch-1","offset":5,"recovered":true}',
      id: 'epoch-1:5',
    })
  })

  it('goes on where the query says, and where Last-Event-ID says if there are both', async () => {
    const url = await open()
    for (const n of range(1, 3)) await scene.post(n)
    const byQuery = await read(`${url}?position=epoch-1:2`)
    expect((await byQuery.events(2))[0]?.id).toBe('epoch-1:3')
    const byBoth = await read(`${url}?position=epoch-1:0`, { 'Last-Event-ID': 'epoch-1:2' })
    expect((await byBoth.events(2))[0]?.id).toBe('epoch-1:3')
  })

  it.each([
    ['another:2', 'epoch-changed'],
    ['epoch-1:99', 'epoch-changed'],
  ])('says that what was missed can not be known: %s', async (position, reason) => {
    const url = await open()
    await scene.post(1)
    const { events } = await read(url, { 'Last-Event-ID': position })
    // Another node might have told the client of what this one is yet to hear of: so long it is waited for.
    scene.clock.advance(10_000)
    const [state] = await events(1)
    expect(JSON.parse(state?.data ?? '')).toEqual({ epoch: 'epoch-1', offset: 1, recovered: false, reason })
    expect(state?.id).toBe('epoch-1:1')
  })

  it('refuses what is no position', async () => {
    const answer = await ask(await open(), { headers: { 'Last-Event-ID': 'x' } })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'position_invalid' })
  })

  it('is kept alive with comments, and with the position where it moved on', async () => {
    const { stream, events } = await read(await open())
    await events(1)
    scene.clock.advance(scene.limits.keepAliveIntervalMs + 1000)
    await until(() => stream.text().endsWith('\r\n\r\n:\r\n\r\n'), 'a comment has come')
    await scene.channel.post([{ sender: 'Test', body: 1, to: { users: ['another'] } }])
    scene.clock.advance(scene.limits.keepAliveIntervalMs + 1000)
    expect((await events(2))[1]).toMatchObject({ event: 'ChannelState', id: 'epoch-1:1' })
  })

  it('lets no body and no name put events or lines into it', async () => {
    const { events } = await read(await open())
    await events(1)
    const breaks = [
      '\n',
      '\r',
      '\r\n',
      '\n\n',
      '\r\r',
      '\r\n\r\n',
      '\0',
      '\u2028',
      '\u2029',
      '\u0085',
      '\v',
      '\f',
      '\uFEFF',
    ]
    const hostile = breaks.map((end) => `x${end}event: Close${end}id: another:9${end}retry: 1${end}data: forged${end}:`)
    const posted = hostile.map((text, n) => ({
      sender: text.slice(0, 200),
      body: { [text]: text },
      bodyTypeName: text.slice(0, 200),
      id: `id-${n}`,
    }))
    await scene.channel.post(posted)
    const [, ...messages] = await events(posted.length + 1)
    expect(messages).toHaveLength(posted.length)
    for (const [n, { event, id, data }] of messages.entries()) {
      expect({ event, id }).toEqual({ event: '', id: `epoch-1:${n + 1}` })
      expect(JSON.parse(data)).toMatchObject({
        Header: { Sender: posted[n]?.sender, BodyTypeName: posted[n]?.bodyTypeName },
        Body: posted[n]?.body,
      })
    }
  })

  it('says the end as an event of its own', async () => {
    const { stream, events } = await read(await open())
    await events(1)
    const closed = scene.shutDown()
    expect((await events(2))[1]).toMatchObject({ event: 'Close', id: 'epoch-1:0' })
    await until(stream.isEnded, 'the stream has ended')
    await closed
    const answer = await ask(`${scene.url}/events`)
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'server_shutdown', retry: true })
  })

  it('is for the user who asks, and counts for it', async () => {
    const url = await open({ limits: { connectionsPerUserMax: 1 } })
    const anna = await read(url, { Authorization: 'Bearer anna' })
    const bert = await read(`${url}?access_token=bert`)
    await anna.events(1)
    await bert.events(1)
    await scene.channel.post([{ sender: 'Test', body: 1, to: { users: ['bert'] } }])
    await scene.post('all')
    expect((await bert.events(3)).map(({ id }) => id)).toEqual(['epoch-1:0', 'epoch-1:1', 'epoch-1:2'])
    expect((await anna.events(2)).map(({ id }) => id)).toEqual(['epoch-1:0', 'epoch-1:2'])
    expect((await ask(url, { headers: { Authorization: 'Bearer anna' } })).status).toBe(503)
    anna.stream.request.destroy()
    await until(() => scene.connectionCount === 1, 'it is gone')
    const again = await read(url, { Authorization: 'Bearer anna' })
    expect(await again.events(1)).toHaveLength(1)
  })
})
