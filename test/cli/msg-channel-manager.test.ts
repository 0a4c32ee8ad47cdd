// Creatio's names for users' channels, over a channel of this process.
import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { InvalidOperationException, type Msg, Terrasoft } from 'serverchannel/terrasoft'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { receive } from '../support/receiver.ts'

const { MsgChannelManager, SimpleMessage } = Terrasoft.Messaging.Common
const open: ServerChannel[] = []

async function createChannel(): Promise<{ channel: ServerChannel; url: string }> {
  const channel = await createServerChannel({ development: true })
  open.push(channel)
  const { url } = await channel.listen()
  return { channel, url: `${url}/msg` }
}

afterEach(async () => {
  for (const channel of open.splice(0)) await channel.close()
})

const message = (body: unknown): Msg =>
  new SimpleMessage({ Id: 'the same each time', Header: { Sender: 'S' }, Body: body })

describe('MsgChannelManager', () => {
  it('says whether it runs, and throws where its Instance is asked for while it does not', async () => {
    expect(MsgChannelManager.IsRunning).toBe(false)
    expect(() => MsgChannelManager.Instance).toThrow(InvalidOperationException)
    await createChannel()
    expect(MsgChannelManager.IsRunning).toBe(true)
    expect(MsgChannelManager.Instance.Channels.Count).toBe(0)
  })

  it('posts to all, and to several users: those who are offline are no error, and one named twice gets it once', async () => {
    const { url } = await createChannel()
    const ann = await receive(`${url}?user=ann`)
    const bob = await receive(`${url}?user=bob`)
    MsgChannelManager.Instance.PostToAll(message('all'))
    MsgChannelManager.Instance.Post(['ann', 'nobody', 'ann'], message('ann'))
    MsgChannelManager.Instance.Post([], message('to nobody'))
    MsgChannelManager.Instance.PostToAll(message('end'))
    expect((await ann.take(3)).map(({ Body }) => Body)).toEqual(['all', 'ann', 'end'])
    const got = await bob.take(2)
    expect(got.map(({ Body }) => Body)).toEqual(['all', 'end'])
    expect(new Set(got.map(({ Id }) => Id)).size).toBe(2)
    await Promise.all([ann.close(), bob.close()])
  })

  it('finds the channel of a user who is there, and null else', async () => {
    const { url } = await createChannel()
    const tabs = [await receive(`${url}?user=ann`), await receive(`${url}?user=ann`)]
    expect(MsgChannelManager.Instance.FindItemByUId('bob')).toBeNull()
    const ann = MsgChannelManager.Instance.FindItemByUId('ann')
    expect(ann).toMatchObject({ Id: 'ann', Name: 'ann' })
    expect(MsgChannelManager.Instance.Channels.Values.map(({ Id }) => Id)).toEqual(['ann'])
    ann?.PostMessage(message([1, 2]))
    ann?.PostMessage('{"Header":{"Sender":"S","BodyTypeName":"T"},"Body":"from a text"}')
    for (const tab of tabs) {
      expect(await tab.take(2)).toMatchObject([
        { Header: { Sender: 'S' }, Body: [1, 2] },
        { Header: { Sender: 'S', BodyTypeName: 'T' }, Body: 'from a text' },
      ])
    }
    expect(() => ann?.PostMessage('no JSON')).toThrow(TypeError)
    expect(() => ann?.PostMessage('{"Body":1}')).toThrow("'Header.Sender'")
    for (const tab of tabs) await tab.close()
  })

  it('tells of what the pages of a user send, and of his last connection’s end', async () => {
    const { url } = await createChannel()
    const page = await receive(`${url}?user=ann`)
    const connection = new HubConnectionBuilder()
      .withUrl(`${url}?user=ann`, { transport: HttpTransportType.WebSockets })
      .configureLogging(LogLevel.None)
      .build()
    await connection.start()
    onTestFinished(() => connection.stop())
    const ann = MsgChannelManager.Instance.FindItemByUId('ann')
    const got: Msg[] = []
    const ends: string[] = []
    const off = ann?.OnMessage((_sender, sent) => got.push(sent))
    const offEnd = ann?.OnConnectionClose(({ Id }) => ends.push(Id))
    await connection.invoke('SendMessage', {
      Id: 'x',
      Header: { Sender: 'ServerMsg', BodyTypeName: 'T' },
      Body: 'hello',
    })
    await expect.poll(() => got).toMatchObject([{ Header: { Sender: 'ServerMsg', BodyTypeName: 'T' }, Body: 'hello' }])
    off?.()
    await connection.stop()
    await page.close()
    await expect.poll(() => ends, { timeout: 10_000 }).toEqual(['ann'])
    offEnd?.()
  })
})
