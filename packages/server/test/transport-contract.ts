import { afterEach, describe, expect, it } from 'vitest'
import { ChannelError } from '../src/channel/channel-error.ts'
import type { DirectWrites } from '../src/options.ts'
import { range } from './channel-scene.ts'
import { bodies, type ClientOptions, type OpenClient, receive, type TransportClient } from './transport-clients.ts'
import { ask } from './transport-http.ts'
import { openTransportScene, type TransportScene, type TransportSceneOptions } from './transport-scene.ts'
import { until } from './until.ts'

export interface TransportTraits {
  /** Default: auto. */
  readonly directWrites?: DirectWrites
  /** Why nothing can be sent to the server on it; undefined where it can. */
  readonly takesNothing?: string
  /** Why what the server says at the end doesn't tell whether to come back. */
  readonly saysNoReconnect?: string
  /** Why silence means nothing on it. */
  readonly hasNoPings?: string
}

/** One scene for each test, and a client of the transport; all closed after it. */
export function useScenes(
  open: OpenClient,
  { directWrites = 'auto' }: TransportTraits,
): {
  scene(options?: TransportSceneOptions): Promise<TransportScene>
  client(scene: TransportScene, options?: ClientOptions): Promise<TransportClient>
} {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  return {
    async scene(options) {
      const scene = await openTransportScene({ directWrites, ...options })
      closing.push(() => scene.close())
      return scene
    },
    async client(scene, options) {
      const client = await open(scene.url, options)
      closing.push(() => client.cut())
      return client
    },
  }
}

const KIB = 1024

/** What every transport does, over real sockets, from the server to the client. What one can't do is skipped, with its reason. */
export function describeTransport(name: string, openClient: OpenClient, traits: TransportTraits = {}): void {
  const { scene: open, client: connect } = useScenes(openClient, traits)

  describe(`${name}: from the server`, () => {
    it('brings messages in the order in which they were posted', async () => {
      const scene = await open()
      const client = await connect(scene)
      for (const n of range(1, 200)) await scene.post(n)
      expect(await receive(client, 200)).toEqual(range(1, 200))
    })

    it('brings any body as it was posted', async () => {
      const scene = await open()
      const client = await connect(scene)
      const hostile = 'a\r\nb\nc\rd\u2028\u2029\0\x1e\x1fdata: x\r\n\r\nevent: Close\r\nid: 7\r\n: \uFEFF'
      const posted = ['', null, 0, '5', [1, 2], { __proto__: null, 'a\n': '\r' }, '😀é中', hostile, 'x'.repeat(300_000)]
      for (const body of posted) await scene.post(body)
      expect(await receive(client, posted.length)).toEqual(posted)
    })

    it('brings what was missed, in order and once, and says that it is all', async () => {
      const scene = await open()
      const first = await connect(scene, { position: '' })
      await until(() => first.said.some(({ target }) => target === 'ChannelState'), 'the state is told')
      for (const n of range(1, 5)) await scene.post(n)
      await receive(first, 5)
      await first.leave()
      for (const n of range(6, 30)) await scene.post(n)
      const second = await connect(scene, { position: 'epoch-1:5' })
      await scene.post(31)
      expect(await receive(second, 26)).toEqual(range(6, 31))
      const states = second.said.filter(({ target }) => target === 'ChannelState')
      expect(states.map((state) => state.arguments?.[0])).toMatchObject([{ epoch: 'epoch-1', recovered: true }])
    })

    it('says that what was missed can not be known', async () => {
      const scene = await open()
      const client = await connect(scene, { position: 'another:5' })
      const state = { epoch: 'epoch-1', offset: 0, recovered: false, reason: 'epoch-changed' }
      await until(() => client.said.some(({ target }) => target === 'ChannelState'), 'the state is told')
      expect(client.said.find(({ target }) => target === 'ChannelState')?.arguments).toEqual([state])
    })

    it('holds no more than the bound for a client that does not read, and goes on in order when it does', async () => {
      const highWaterMarkBytes = 64 * KIB
      const chunkBytesMax = 16 * KIB
      const scene = await open({ limits: { highWaterMarkBytes, chunkBytesMax } })
      const bystander = await connect(scene)
      const client = await connect(scene)
      const connection = await scene.connected(2)
      const filler = 'x'.repeat(100 * KIB)
      let most = 0
      client.stopReading()
      for (const n of range(1, 160)) {
        await scene.post([n, filler])
        most = Math.max(most, connection.bufferedBytes)
      }
      await until(() => connection.bufferedBytes >= highWaterMarkBytes, 'the client holds the server up')
      expect((await receive(bystander, 160)).length).toBe(160)
      expect(Math.max(most, connection.bufferedBytes)).toBeLessThan(highWaterMarkBytes + 101 * KIB)
      client.goOnReading()
      const got = (await receive(client, 160)) as [number, string][]
      expect(got.map(([n]) => n)).toEqual(range(1, 160))
    })

    it('goes on with the smallest bound, however often the client stops reading', async () => {
      const scene = await open({ limits: { highWaterMarkBytes: 4096, chunkBytesMax: 1024 } })
      const client = await connect(scene)
      const connection = await scene.connected(1)
      const filler = 'x'.repeat(3000)
      let count = 0
      for (const round of range(1, 3)) {
        client.stopReading()
        for (let posted = 0; connection.bufferedBytes < 4096 && posted < 4000; posted++)
          await scene.post([++count, filler])
        for (const _ of range(1, 20 * round)) await scene.post([++count, filler])
        client.goOnReading()
        const got = (await receive(client, count)) as [number, string][]
        expect(got.map(([n]) => n)).toEqual(range(1, count))
      }
    })

    it('pings where nothing else was sent for the interval', async (context) => {
      context.skip(traits.hasNoPings !== undefined, traits.hasNoPings)
      const scene = await open()
      const client = await connect(scene, { position: '' })
      await until(() => client.said.some(({ target }) => target === 'ChannelState'), 'the state is told')
      const before = client.said.length
      await scene.post('one')
      await receive(client, 1)
      // The position that it was not told of comes instead of a ping.
      scene.clock.advance(scene.limits.keepAliveIntervalMs + 1000)
      await until(() => client.said.length > before + 1, 'the position is told')
      expect(client.said.at(-1)).toMatchObject({ target: 'ChannelState' })
    })
  })

  describe(`${name}: the end`, () => {
    it('lets the server know at once that the client left', async () => {
      const scene = await open()
      const client = await connect(scene)
      await scene.connected(1)
      await client.leave()
      await scene.emptied()
      expect(scene.connections[0]?.state).toBe('closed')
    })

    it('lets the server know when the client was cut off', async () => {
      const scene = await open()
      const client = await connect(scene)
      await scene.connected(1)
      client.cut()
      await until(() => {
        // That polls have stopped tells time alone.
        if (traits.hasNoPings) scene.clock.advance(1000)
        return scene.connectionCount === 0
      }, 'the connection is gone')
      expect(scene.connections[0]?.state).toBe('closed')
    })

    it('says why the server closes it, after all that was sent before, and ends', async () => {
      const scene = await open()
      const client = await connect(scene)
      const connection = await scene.connected(1)
      for (const n of range(1, 50)) await scene.post(n)
      await receive(client, 50)
      connection.close(new ChannelError('history_lost', 'Gone.'))
      connection.close(new ChannelError('internal', 'Twice.'))
      await until(client.isEnded, 'the client has seen the end')
      expect(client.said.at(-1)).toMatchObject({ type: 7, error: 'history_lost: Gone.' })
      expect(client.said.filter(({ type }) => type === 7)).toHaveLength(1)
      await scene.emptied()
    })

    it('tells clients at shutdown to come back', async () => {
      const scene = await open()
      const clients = await Promise.all(range(1, 5).map(() => connect(scene)))
      await scene.connected(5)
      await scene.shutDown()
      for (const client of clients) {
        await until(client.isEnded, 'the client has seen the end')
        expect(client.said.at(-1)).toMatchObject({ type: 7, error: expect.stringMatching(/^server_shutdown: /) })
      }
    })

    it('says whether to come back', async (context) => {
      context.skip(traits.saysNoReconnect !== undefined, traits.saysNoReconnect)
      const scene = await open()
      const client = await connect(scene)
      await scene.connected(1)
      await scene.shutDown()
      await until(client.isEnded, 'the client has seen the end')
      expect(client.said.at(-1)?.allowReconnect).toBe(true)
    })

    it('ends in bounded time at shutdown, though a client does not read', async () => {
      const scene = await open({ limits: { closeTimeoutMs: 300, disconnectTimeoutMs: 1000 } })
      const client = await connect(scene)
      const connection = await scene.connected(1)
      client.stopReading()
      for (let n = 0; connection.bufferedBytes < 200_000 && n < 300; n++) await scene.post('x'.repeat(200_000))
      const closed = scene.shutDown()
      scene.clock.advance(2000)
      await closed
      expect(scene.connectionCount).toBe(0)
    })

    it('closes a client that takes nothing for too long; others miss nothing', async () => {
      const scene = await open({ limits: { stalledReaderMs: 5000, closeTimeoutMs: 500 } })
      const bystander = await connect(scene)
      const other = await scene.connected(1)
      const client = await connect(scene)
      const connection = await scene.connected(2)
      client.stopReading()
      for (const _ of range(1, 40)) await scene.post('x'.repeat(300_000))
      await until(() => connection.bufferedBytes > 0, 'the client holds the server up')
      await receive(bystander, 40)
      // Time goes on while the loop turns, so that whoever reads is seen to read.
      await until(() => {
        scene.clock.advance(200)
        return connection.state === 'closed'
      }, 'the stalled client is gone')
      await scene.post('after')
      expect((await receive(bystander, 41)).at(-1)).toBe('after')
      expect(other.state).toBe('open')
    })

    it('closes within a second of the end of its identity, and lets it come back with a new one', async () => {
      let expiresAt = Number.POSITIVE_INFINITY
      const scene = await open({
        authenticate: ({ headers }) => ({ user: 'anna', ...(headers.authorization ? { expiresAt } : {}) }),
      })
      expiresAt = scene.clock.now() + 3000
      const bystander = await connect(scene)
      const client = await connect(scene, { headers: { Authorization: 'Bearer short' } })
      await scene.connected(2)
      scene.clock.advance(2000)
      await scene.post('before')
      await receive(client, 1)
      // Answered after the next poll has come, which the end of the identity would refuse.
      await ask(scene.url)
      expect(client.isEnded()).toBe(false)
      scene.clock.advance(2000)
      await until(client.isEnded, 'the client has seen the end')
      expect(client.said.at(-1)).toMatchObject({ type: 7, error: expect.stringMatching(/^authentication_expired: /) })
      await scene.post('after')
      expect(await receive(bystander, 2)).toEqual(['before', 'after'])
      expect(bodies(client)).toEqual(['before'])
    })
  })
}
