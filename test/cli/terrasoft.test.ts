import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { Terrasoft } from 'serverchannel/terrasoft'
import { afterEach, describe, expect, it } from 'vitest'
import { receive } from '../support/receiver.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { MsgChannelUtilities } = Terrasoft.Configuration
const open: ServerChannel[] = []

async function createChannel(): Promise<{ channel: ServerChannel; url: string }> {
  const channel = await createServerChannel({ development: true })
  open.push(channel)
  const { url } = await channel.listen()
  return { channel, url }
}

afterEach(async () => {
  for (const channel of open.splice(0)) await channel.close()
})

/** Runs a program in a process of its own, which has no channel. */
async function runElsewhere(
  program: string,
  environment: Record<string, string>,
): Promise<{ code: number; err: string; out: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    env: { ...process.env, ...environment },
  })
  let err = ''
  let out = ''
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString()
  })
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, err, out }
}

const SEED = `
import { Terrasoft } from 'serverchannel/terrasoft'
Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll("SomeMessageId", "My message value");
`

describe('the seed statement', () => {
  it("posts to the process's channel", async () => {
    const { url } = await createChannel()
    const receiver = await receive(`${url}/msg`)
    Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll('SomeMessageId', 'My message value')
    Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll('List', [1, 'two', { three: 3 }])
    const messages = await receiver.take(2)
    expect(messages[0]).toMatchObject({ Header: { Sender: 'SomeMessageId' }, Body: 'My message value' })
    expect(messages[1]?.Body).toEqual([1, 'two', { three: 3 }])
    await receiver.close()
  })

  it('posts to one user, by user connection or id, and to several', async () => {
    const { url } = await createChannel()
    const ann = await receive(`${url}/msg?user=ann`)
    const bob = await receive(`${url}/msg?user=bob`)
    expect(await MsgChannelUtilities.PostMessage({ CurrentUser: { Id: 'ann' } }, 'One', 'x')).toMatchObject({
      connections: 1,
    })
    expect(await MsgChannelUtilities.PostMessage('bob', 'Two', 'x')).toMatchObject({ connections: 1 })
    expect(await MsgChannelUtilities.PostMessage(['ann', 'bob', 'ann', 'nobody'], 'Three', 'x')).toMatchObject({
      connections: 2,
    })
    const senders = async (receiver: typeof ann): Promise<unknown[]> =>
      (await receiver.take(2)).map(({ Header }) => Header.Sender)
    expect(await senders(ann)).toEqual(['One', 'Three'])
    expect(await senders(bob)).toEqual(['Two', 'Three'])
    await ann.close()
    await bob.close()
  })

  it('posts over HTTP from a process that has no channel', async () => {
    const { url } = await createChannel()
    const receiver = await receive(`${url}/msg`)
    const { code, err } = await runElsewhere(SEED, { SERVERCHANNEL_URL: url })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect((await receiver.take(1))[0]).toMatchObject({ Header: { Sender: 'SomeMessageId' }, Body: 'My message value' })
    await receiver.close()
  })

  it('keeps the order of many posts over HTTP that nobody awaits', async () => {
    const { url } = await createChannel()
    const receiver = await receive(`${url}/msg`)
    const program = `
      import { Terrasoft } from 'serverchannel/terrasoft'
      for (let n = 0; n < 2000; n++) Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll('N', n)`
    expect(await runElsewhere(program, { SERVERCHANNEL_URL: url })).toMatchObject({ code: 0, err: '' })
    const bodies = (await receiver.take(2000)).map(({ Body }) => Body)
    expect(bodies).toEqual(Array.from({ length: 2000 }, (_, n) => n))
    await receiver.close()
  })

  it('is logged, and does not end the process, where there is no channel and no server', async () => {
    const { code, err } = await runElsewhere(SEED, { SERVERCHANNEL_URL: '' })
    expect(code).toBe(0)
    expect(err).toContain('no_channel')
    expect(err).toContain('SERVERCHANNEL_URL')
  })

  it('rejects where it is awaited and fails', async () => {
    const program = `
      import { Terrasoft } from 'serverchannel/terrasoft'
      const { PostMessageToAll } = Terrasoft.Configuration.MsgChannelUtilities
      const failed = []
      for (const [sender, body] of [['', 'x'], ['A', 1n], ['A', 'x']]) {
        await PostMessageToAll(sender, body).catch((error) => failed.push(error.code))
      }
      console.log(JSON.stringify(failed))`
    const { url } = await createChannel()
    const { out, err } = await runElsewhere(program, { SERVERCHANNEL_URL: url })
    expect(JSON.parse(out)).toEqual(['sender_invalid', 'body_not_json'])
    expect(err).toBe('')
  })

  it('tries again until a server that is away is back, and posts once', async () => {
    const away = createServer((_request, response) => {
      response.writeHead(503, { Connection: 'close' }).end()
    })
    await new Promise<void>((resolve) => away.listen(0, '127.0.0.1', resolve))
    const { port } = away.address() as AddressInfo
    const program = `
      import { Terrasoft } from 'serverchannel/terrasoft'
      console.log((await Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll('Late', 'x')).position)`
    const running = runElsewhere(program, { SERVERCHANNEL_URL: `http://127.0.0.1:${port}` })
    await once(away, 'request')
    await new Promise((resolve) => away.close(resolve))
    const channel = await createServerChannel({ development: true })
    open.push(channel)
    await channel.listen({ port })
    const { out } = await running
    expect(out.trim()).toBe(channel.position)
    expect(out).toMatch(/:1\n$/)
  })
})
