import { describe, expect, it } from 'vitest'
import { ChannelError } from '../src/channel/channel-error.ts'
import type { History } from '../src/channel/history.ts'
import type { ReadQuery } from '../src/channel/history-query.ts'
import type { ServerChannel } from '../src/server-channel.ts'
import { range } from './channel-scene.ts'
import { FakeStore } from './fake-store.ts'
import { serveChannel } from './served-channel.ts'
import { ask } from './transport-http.ts'

const bodies = ({ messages }: History): unknown[] => messages.map(({ Body }) => Body)

async function postAll(channel: ServerChannel, count: number): Promise<void> {
  for (const number of range(1, count)) await channel.postMessageToAll('Number', number)
}

/** Everything, as a caller that goes on from each answer's position gets it. */
async function readAll(channel: ServerChannel, query: ReadQuery): Promise<{ bodies: unknown[]; answers: History[] }> {
  const answers: History[] = []
  let { after } = query
  for (let hasMore = true; hasMore; ) {
    const answer = await channel.read({ ...query, ...(after === undefined ? {} : { after }) })
    answers.push(answer)
    ;({ position: after, hasMore } = answer)
  }
  return { bodies: answers.flatMap(bodies), answers }
}

describe('channel.read()', () => {
  it('gives whole messages, oldest first, with the position from which to go on', async () => {
    const { channel } = await serveChannel({ development: true })
    expect(await channel.read()).toEqual({ messages: [], position: channel.position, hasMore: false })
    const { id, position } = await channel.post({
      sender: 'A',
      body: { x: ['é', null] },
      bodyTypeName: 'T',
      channelType: 'PTPMsg',
    })
    await channel.postMessageToAll('B')
    const history = await channel.read()
    expect(history).toEqual({
      messages: [
        {
          Id: id,
          Header: { Sender: 'A', BodyTypeName: 'T', ChannelType: 'PTPMsg' },
          Body: { x: ['é', null] },
          Position: position,
        },
        { Id: expect.any(String), Header: { Sender: 'B' }, Body: null, Position: channel.position },
      ],
      position: channel.position,
      hasMore: false,
    })
    expect(bodies(await channel.read({ after: position }))).toEqual([null])
    expect(await channel.read({ after: history.position })).toEqual({
      messages: [],
      position: channel.position,
      hasMore: false,
    })
  })

  it('gives all of a long log in parts, each once', async () => {
    const { channel } = await serveChannel({ development: true })
    await postAll(channel, 1234)
    const { bodies: all, answers } = await readAll(channel, { limit: 100 })
    expect(all).toEqual(range(1, 1234))
    expect(answers).toHaveLength(13)
    expect(answers.at(-1)).toMatchObject({ position: channel.position, hasMore: false })
  })

  it('goes past what a filter leaves out, also where nothing is left', async () => {
    const { channel } = await serveChannel({ development: true, historyCountMax: 100_000, historyBytesMax: 1e9 })
    for (const _ of range(1, 25)) {
      await Promise.all(range(1, 1000).map(() => channel.postMessageToAll('Other')))
    }
    await channel.postMessageToAll('Wanted', 1)
    const first = await channel.read({ sender: 'Wanted' })
    expect(first).toMatchObject({ messages: [], hasMore: true })
    expect((await readAll(channel, { sender: 'Wanted' })).bodies).toEqual([1])
    expect(await channel.read({ sender: 'Wanted', after: channel.position })).toMatchObject({
      messages: [],
      hasMore: false,
    })
  })

  it('gives about a mebibyte at a time, and one message however large', async () => {
    const { channel } = await serveChannel({ development: true })
    for (const _ of range(1, 5)) await channel.postMessageToAll('Large', 'x'.repeat(600_000))
    const { answers } = await readAll(channel, {})
    expect(answers.map(({ messages }) => messages.length)).toEqual([1, 1, 1, 1, 1])
  })

  it("gives a user's messages: what is for all and what names the user, not what is for others or groups", async () => {
    const { channel } = await serveChannel({ development: true })
    await channel.postMessageToAll('All', 1)
    await channel.postMessage('ann', 'One', 2)
    await channel.postMessage(['bob', 'ann'], 'Two', 3)
    await channel.postMessage('bob', 'Other', 4)
    await channel.post({ sender: 'Group', body: 5, to: { groups: ['ann'] } })
    await channel.post({ sender: 'Connection', body: 6, to: { connections: ['ann'] } })
    await channel.postMessage('__proto__', 'Odd', 7)
    expect(bodies(await channel.read({ user: 'ann' }))).toEqual([1, 2, 3])
    expect(bodies(await channel.read({ user: 'ann', sender: 'Two' }))).toEqual([3])
    expect(bodies(await channel.read({ user: '__proto__' }))).toEqual([1, 7])
    expect(bodies(await channel.read())).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('leaves out what has expired', async () => {
    const { channel } = await serveChannel({ development: true })
    await channel.postMessageToAll('Short', 1, { ttlMs: 1 })
    await channel.postMessageToAll('Long', 2, { ttlMs: 60_000 })
    await expect.poll(async () => bodies(await channel.read())).toEqual([2])
  })

  it('says that the history no longer reaches back so far, and begins with the oldest', async () => {
    const { channel } = await serveChannel({ development: true, historyCountMax: 10 })
    await postAll(channel, 1)
    const after = channel.position
    await postAll(channel, 20)
    const history = await channel.read({ after })
    expect(history).toMatchObject({ missed: 'history-trimmed', hasMore: false })
    expect(bodies(history)).toEqual(range(11, 20))
    expect(await channel.read()).not.toHaveProperty('missed')
    expect(await channel.read({ after: history.position })).not.toHaveProperty('missed')
  })

  it('says that the log is another one, and begins with its oldest', async () => {
    const { channel } = await serveChannel({ development: true })
    await postAll(channel, 3)
    const history = await channel.read({ after: 'another:2' })
    expect(history).toMatchObject({ missed: 'epoch-changed', position: channel.position })
    expect(bodies(history)).toEqual([1, 2, 3])
  })

  it('waits at a position that this node has not heard of yet', async () => {
    const { channel } = await serveChannel({ development: true })
    const ahead = channel.position.replace(/0$/, '7')
    expect(await channel.read({ after: ahead })).toEqual({ messages: [], position: ahead, hasMore: false })
  })

  it.each<[ReadQuery, string]>([
    [{ after: 'nonsense' }, 'position_invalid'],
    [{ after: 5 as unknown as string }, 'position_invalid'],
    [{ limit: 0 }, 'query_invalid'],
    [{ limit: 1.5 }, 'query_invalid'],
    [{ limit: 1001 }, 'query_invalid'],
    [{ sender: '' }, 'query_invalid'],
    [{ user: 'x'.repeat(257) }, 'query_invalid'],
    [{ user: ['ann'] as unknown as string }, 'query_invalid'],
  ])('refuses %j', async (query, code) => {
    const { channel } = await serveChannel({ development: true })
    await expect(channel.read(query)).rejects.toMatchObject({ code })
  })

  it('says that it can be tried again where the store fails', async () => {
    const store = new FakeStore()
    const { channel } = await serveChannel({ development: true, store })
    await channel.postMessageToAll('A')
    store.read = () => Promise.reject(new Error('disk'))
    await expect(channel.read()).rejects.toMatchObject({ code: 'store_failed', retry: true })
    await channel.close()
    await expect(channel.read()).rejects.toBeInstanceOf(ChannelError)
  })
})

describe('GET /api/messages', () => {
  it('gives what channel.read() gives, bodies as they were posted', async () => {
    const { channel, url } = await serveChannel({ development: true })
    await channel.post({ sender: 'A', body: { __proto__x: 1.0, deep: ['\u2028'] }, to: { users: 'ann' } })
    await channel.postMessageToAll('B', 2)
    for (const [query, expected] of [
      ['', {}],
      ['?limit=1', { limit: 1 }],
      ['?sender=B&user=ann', { sender: 'B', user: 'ann' }],
      ['?after=another%3A3', { after: 'another:3' }],
      ['?after=', {}],
    ] as const) {
      const { status, headers, text } = await ask(`${url}/api/messages${query}`)
      expect(status).toBe(200)
      expect(headers['content-type']).toBe('application/json')
      expect(headers['cache-control']).toBe('no-store')
      expect(JSON.parse(text)).toEqual(await channel.read(expected))
    }
  })

  it('answers HEAD without a body', async () => {
    const { url } = await serveChannel({ development: true })
    const { status, text } = await ask(`${url}/api/messages`, { method: 'HEAD' })
    expect([status, text]).toEqual([200, ''])
  })

  it('asks for the same key as posting, and is not there where none is configured', async () => {
    const { url } = await serveChannel({ apiKeys: ['a-key-of-sixteen-characters'] })
    expect((await ask(`${url}/api/messages`)).status).toBe(401)
    const headers = { Authorization: 'Bearer a-key-of-sixteen-characters' }
    expect((await ask(`${url}/api/messages`, { headers })).status).toBe(200)
    expect((await ask(`${url}/api/messages?access_token=a-key-of-sixteen-characters`)).status).toBe(200)
    const closed = await serveChannel({})
    expect((await ask(`${closed.url}/api/messages`)).status).toBe(404)
  })

  it.each([
    ['?after=nonsense', 'position_invalid'],
    ['?after=%00', 'position_invalid'],
    ['?limit=', 'query_invalid'],
    ['?limit=-1', 'query_invalid'],
    ['?limit=1e9', 'query_invalid'],
    ['?limit=99999999999', 'query_invalid'],
    ['?sender=', 'query_invalid'],
    ['?user=', 'query_invalid'],
    [`?user=${'x'.repeat(300)}`, 'query_invalid'],
    ['?usr=ann', 'query_invalid'],
    ['?user=ann&user=bob', 'query_invalid'],
    ['?__proto__=1', 'query_invalid'],
  ])('refuses %s', async (query, code) => {
    const { url } = await serveChannel({ development: true })
    const { status, headers, text } = await ask(`${url}/api/messages${query}`)
    expect([status, headers['content-type']]).toEqual([400, 'application/problem+json'])
    expect(JSON.parse(text)).toMatchObject({ code, status: 400, retry: false })
  })

  it('is not for pages of other origins', async () => {
    const { url } = await serveChannel({ development: true })
    const { status } = await ask(`${url}/api/messages`, { headers: { Origin: 'http://evil.test' } })
    expect(status).toBe(403)
  })
})
