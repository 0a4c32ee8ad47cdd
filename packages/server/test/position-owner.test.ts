import { createServerChannel } from 'serverchannel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'

let channel: Awaited<ReturnType<typeof createServerChannel>>
let url: string
const sockets: WebSocket[] = []

beforeEach(async () => {
  channel = await createServerChannel({ development: true })
  url = (await channel.listen()).url.replace('http', 'ws')
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  await channel.close()
})

/** What the server calls in a client that connects with this query, up to the statement of its position. */
async function callsTo(query: Record<string, string>): Promise<readonly { target: string; arguments: unknown[] }[]> {
  const socket = new WebSocket(`${url}/msg?${new URLSearchParams(query).toString()}`)
  sockets.push(socket)
  const calls: { target: string; arguments: unknown[] }[] = []
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => socket.send('{"protocol":"json","version":1}\u001e'))
    socket.on('message', (data: Buffer) => {
      for (const record of data.toString().split('\u001e').slice(0, -1)) {
        const call = JSON.parse(record) as { target?: string; arguments: unknown[] }
        if (call.target) calls.push({ target: call.target, arguments: call.arguments })
      }
      if (calls.some(({ target }) => target === 'ChannelState')) resolve()
    })
  })
  return calls
}

const targets = (calls: readonly { target: string }[]): string[] => calls.map(({ target }) => target)

describe('whose a position is', () => {
  it('is told first of all to those that ask, another text for each user', async () => {
    const owners: unknown[] = []
    for (const query of [{ user: 'anna' }, { user: 'boris' }, {}, { user: 'anna' }]) {
      const calls = await callsTo({ ...query, position: '', owner: '' })
      expect(targets(calls)).toEqual(['ChannelOwner', 'ChannelState'])
      owners.push(calls[0]?.arguments[0])
    }
    expect(new Set(owners).size).toBe(3)
    expect(owners[0]).toBe(owners[3])
    expect(owners[0]).not.toContain('anna')
  })

  it('is not told to others', async () => {
    expect(targets(await callsTo({ user: 'anna', position: '' }))).toEqual(['ChannelState'])
  })

  it('decides whether it is gone on from', async () => {
    const start = channel.position
    const [told] = await callsTo({ user: 'anna', position: '', owner: '' })
    const owner = String(told?.arguments[0])
    await channel.postMessageToAll('Missed', 1)
    const own = await callsTo({ user: 'anna', position: start, owner })
    expect(targets(own)).toEqual(['ChannelOwner', 'ServerMessage', 'ChannelState'])
    expect(own[2]?.arguments[0]).toMatchObject({ recovered: true })
    const others = await callsTo({ user: 'boris', position: start, owner })
    expect(targets(others)).toEqual(['ChannelOwner', 'ChannelState'])
    expect(others[1]?.arguments[0]).not.toHaveProperty('recovered')
    expect(others[1]?.arguments[0]).toMatchObject({ offset: 1 })
  })
})
