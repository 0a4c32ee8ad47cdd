import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { HttpPoster } from '../src/http-poster.ts'
import { openClient, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

interface Call {
  readonly arguments: readonly { readonly Header: unknown }[]
}

async function serveHeaders() {
  const scene = await serveChannel({ development: true })
  const { records, bodies } = await openClient(scene.port)
  const headers = async (count: number): Promise<unknown[]> => {
    await until(() => bodies().length === count, `${count} have come`)
    return records.slice(-count).map((record) => (JSON.parse(record) as Call).arguments[0]?.Header)
  }
  const post = (body: object): Promise<Response> =>
    fetch(`${scene.url}/api/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  return { ...scene, headers, post }
}

describe("a message's header", () => {
  it('has the types that the poster gave, however it posts', async () => {
    const { channel, url, headers, post } = await serveHeaders()
    const types = { bodyTypeName: 'Order', channelType: 'PTPMsg' }
    await channel.post({ sender: 'S', ...types })
    await channel.postMessageToAll('S', 1, types)
    expect((await post({ sender: 'S', ...types })).status).toBe(201)
    const poster = new HttpPoster({ url, logger: pino({ level: 'silent' }) })
    await poster.post({ sender: 'S', ...types })
    const Header = { Sender: 'S', BodyTypeName: 'Order', ChannelType: 'PTPMsg' }
    expect(await headers(4)).toEqual([Header, Header, Header, Header])
  })

  it('has nothing in it that is empty', async () => {
    const { channel, headers } = await serveHeaders()
    await channel.postMessageToAll('S', 1, { bodyTypeName: '', channelType: '' })
    expect(await headers(1)).toEqual([{ Sender: 'S' }])
  })

  it.each(['sentBy', 'SentBy'])('says of no post that a client sent it: %s', async (name) => {
    const { channel, headers, post } = await serveHeaders()
    const forged = { sender: 'S', body: 1, [name]: { User: 'admin', ConnectionId: 'x' } }
    await channel.post(forged)
    expect(await headers(1)).toEqual([{ Sender: 'S' }])
    const refused = await post(forged)
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([400, 'message_invalid'])
  })
})
