import type { IncomingMessage } from 'node:http'
import { createServerChannel, type Identity, type ServerChannel } from 'serverchannel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../packages/server/test/until.ts'
import type { StockClient, StockSettings } from '../support/stock-client.ts'
import { carriers } from '../support/stock-scenarios.ts'
import { type StockVersion, stockVersions } from '../support/stock-versions.ts'

interface StockMessage {
  readonly Id: string
  readonly Header: { readonly Sender: string }
  readonly Body: unknown
  readonly Position: string
}

const BODIES: readonly unknown[] = [
  '',
  'null',
  '5',
  'abc',
  [1, -1, 1.5, 2 ** 40, true, null],
  { a: { 'Ünïcödé 😀': [null, true, []] } },
  null,
  'line\r\nline\nline\rdata: x\n\nevent: Close',
  'Ünïcödé 😀\u2028\u0000\u001e',
  'x'.repeat(1_000_000),
]
/** Of a text that is no text; MessagePack has no way to say it. */
const JSON_BODY = 'lone \ud800 surrogate'

type Way = Pick<StockSettings, 'transport' | 'protocol' | 'skipsNegotiation'>
const ways: readonly Way[] = [...carriers, { transport: 'WebSockets', protocol: 'json', skipsNegotiation: true }]
/** Which versions there are between them makes no difference to the channel: its calls are those of any hub. */
const versions = [stockVersions[0], stockVersions.at(-1)].filter((version) => version !== undefined)

let channel: ServerChannel
let url: string
const open: StockClient[] = []

/** `Bearer NAME`, or `access_token=NAME` in the query, is the user NAME; without either there is no connecting. */
function authenticate({ headers, url: target = '' }: IncomingMessage): Identity | null {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  const user = bearer ?? new URLSearchParams(target.split('?')[1] ?? '').get('access_token')
  return user ? { user } : null
}

beforeEach(async () => {
  channel = await createServerChannel({ authenticate })
  url = (await channel.listen()).url
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.stop()))
  await channel.close()
})

async function connect(version: StockVersion, way: Way, token: string, query = ''): Promise<StockClient> {
  const client = version.create({ url: `${url}/msg${query}`, ...way, token, reconnects: true })
  open.push(client)
  expect(await client.start()).toEqual({ value: undefined })
  return client
}

async function take(client: StockClient, count: number): Promise<StockMessage[]> {
  return (await client.calls('ServerMessage', count)).map(([message]) => message as StockMessage)
}

async function takeBodies(client: StockClient, count: number): Promise<unknown[]> {
  return (await take(client, count)).map(({ Body }) => Body)
}

describe.each(versions)('the channel and @microsoft/signalr $name', (version) => {
  describe.each(ways)('over $transport with $protocol, skipsNegotiation: $skipsNegotiation', (way) => {
    it('every kind of body comes as it was posted, in order, beside a client with JSON', async () => {
      const client = await connect(version, way, 'anna')
      const other = await connect(version, { transport: 'WebSockets', protocol: 'json' }, 'boris')
      const bodies = way.protocol === 'json' ? [...BODIES, JSON_BODY] : BODIES
      for (const body of bodies) await channel.postMessageToAll('SomeMessageId', body)
      const messages = await take(client, bodies.length)
      expect(messages.map(({ Body }) => Body)).toEqual(bodies)
      expect(new Set(messages.map(({ Id }) => Id)).size).toBe(bodies.length)
      expect(messages.every(({ Header }) => Header.Sender === 'SomeMessageId')).toBe(true)
      expect(await takeBodies(other, bodies.length)).toEqual(bodies)
    })

    it('many messages come in order', async () => {
      const client = await connect(version, way, 'anna')
      const bodies = Array.from({ length: 500 }, (_, n) => n)
      for (const body of bodies) void channel.postMessageToAll('Count', body)
      expect(await takeBodies(client, bodies.length)).toEqual(bodies)
    })

    it('what is for a user comes to that user', async () => {
      const [anna, boris] = [await connect(version, way, 'anna'), await connect(version, way, 'boris')]
      await channel.postMessage('anna', 'One', 1)
      await channel.postMessage(['anna', 'boris'], 'Two', 2)
      await channel.postMessageToAll('Three', 3)
      expect(await takeBodies(anna, 3)).toEqual([1, 2, 3])
      expect(await takeBodies(boris, 2)).toEqual([2, 3])
    })

    it('calls of methods that there are not are answered', async () => {
      const client = await connect(version, way, 'anna')
      const names = Array.from({ length: 20 }, (_, n) => `Nope${n} 😀`)
      const outcomes = await client.invokeAll(names.map((name) => [name]))
      expect(new Map(outcomes).get(19)).toEqual({
        error: "Failed to invoke 'Nope19 😀' due to an error on the server. HubException: Method does not exist.",
      })
      expect(outcomes.length).toBe(names.length)
    })

    it('a client goes on where its position says', async () => {
      const first = await connect(version, way, 'anna', '?position=')
      await channel.postMessageToAll('One', 1)
      const [message] = await take(first, 1)
      await first.stop()
      await channel.postMessageToAll('Two', 2)
      const second = await connect(version, way, 'anna', `?position=${encodeURIComponent(message?.Position ?? '')}`)
      expect(await takeBodies(second, 1)).toEqual([2])
      expect(await second.calls('ChannelState', 1)).toMatchObject([[{ recovered: true }]])
    })

    it('a client comes back by itself after the server was closed and started again', async () => {
      const client = await connect(version, way, 'anna')
      const port = Number(new URL(url).port)
      await channel.close()
      channel = await createServerChannel({ authenticate })
      await channel.listen({ port })
      await client.reconnected()
      await channel.postMessageToAll('After', 1)
      expect(await takeBodies(client, 1)).toEqual([1])
      await client.stop()
      await until(() => channel.connectionCount === 0, 'the server knows that it left')
    })
  })
})
