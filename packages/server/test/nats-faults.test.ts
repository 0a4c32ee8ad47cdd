import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CuttingProxy } from '../../../test/support/cutting-proxy.ts'
import { hasNats, NatsProcess } from '../../../test/support/nats-process.ts'
import type { Store } from '../src/channel/store.ts'
import { parseNatsAddress } from '../src/stores/nats-address.ts'
import { range } from './channel-scene.ts'
import { channelName } from './engine-bounds.ts'
import { createNatsStore } from './nats-scene.ts'
import { append, draft, Follower, type StoreBounds, UNBOUNDED } from './store-contract.ts'
import { until } from './until.ts'

const BACK_MS_MAX = 10_000

interface Node {
  readonly store: Store
  readonly follower: Follower
  readonly warnings: readonly string[]
}

async function start(more = ''): Promise<NatsProcess> {
  const nats = await NatsProcess.start(more)
  onTestFinished(() => nats.close())
  return nats
}

async function open(url: string, channel: string, parameters = '', bounds: Partial<StoreBounds> = {}): Promise<Node> {
  const warnings: string[] = []
  const onWarning = (text: string): void => void warnings.push(text)
  const store = createNatsStore(url, channel, { ...UNBOUNDED, ...bounds }, parameters, { onWarning })
  const follower = new Follower()
  await store.open(follower)
  onTestFinished(() => store.close())
  return { store, follower, warnings }
}

async function openThroughProxy(
  nats: NatsProcess,
  parameters = '',
): Promise<{ proxy: CuttingProxy; node: Node; channel: string }> {
  const proxy = new CuttingProxy(nats.port)
  const url = `nats://127.0.0.1:${await proxy.listen()}`
  onTestFinished(() => proxy.close())
  const channel = channelName()
  return { proxy, node: await open(url, channel, parameters), channel }
}

async function appendNumbers(store: Store, from: number, to: number): Promise<void> {
  for (const number of range(from, to)) await append(store, [draft(String(number))])
}

/** Does it to the stream of a channel, as whoever runs the server can. */
async function administer(
  url: string,
  channel: string,
  change: (streams: Awaited<ReturnType<typeof jetstreamManager>>['streams'], name: string) => Promise<unknown>,
): Promise<void> {
  const connection = await connect({ servers: url.replace('nats://', '') })
  const { streams } = await jetstreamManager(connection)
  await change(streams, parseNatsAddress(`${url}?channel=${encodeURIComponent(channel)}`).stream)
  await connection.close()
}

/** Both are told of one new epoch, once, and of all that comes after it. */
async function requireNewEpoch(nodes: readonly Node[], before: string, head: number): Promise<void> {
  for (const { follower } of nodes) {
    await until(() => follower.epochs.length > 0, 'each node is told of the new epoch', BACK_MS_MAX)
  }
  const state = nodes[0]?.follower.epochs[0]
  expect(state).toMatchObject({ head })
  expect(state?.epoch).not.toBe(before)
  for (const { store, follower } of nodes) {
    expect(follower.epochs.map(({ epoch }) => epoch)).toEqual([state?.epoch])
    expect(store.state().epoch).toBe(state?.epoch)
  }
  await Promise.all(nodes.map(({ store }) => append(store, [draft('"after"')])))
  for (const { follower } of nodes) {
    await until(() => follower.entries.at(-1)?.offset === head + nodes.length, 'each node gets what comes after')
  }
}

describe.skipIf(!hasNats)('a NATS server that loses what it had', () => {
  it('as its stream is deleted: one new epoch for all nodes, which begins anew', async () => {
    const nats = await start()
    const channel = channelName()
    const nodes = [await open(nats.url, channel), await open(nats.url, channel)] as const
    await appendNumbers(nodes[0].store, 1, 5)
    await nodes[1].follower.waitFor(5)
    const { epoch } = nodes[0].store.state()
    await administer(nats.url, channel, (streams, name) => streams.delete(name))
    await requireNewEpoch(nodes, epoch, 0)
    expect(nodes.flatMap(({ warnings }) => warnings).join()).toContain('there is no log')
  })

  it('as all its files are gone at a restart: what waits meanwhile is appended in the new epoch, once', async () => {
    const nats = await start()
    const channel = channelName()
    const nodes = [await open(nats.url, channel), await open(nats.url, channel)] as const
    await appendNumbers(nodes[0].store, 1, 5)
    const { epoch } = nodes[0].store.state()
    await nats.kill()
    nats.forget()
    const waiting = append(nodes[1].store, [draft('"waits"')])
    await nats.startAgain()
    expect(await waiting).toEqual([1])
    expect(nodes[1].store.state().epoch).not.toBe(epoch)
    for (const { follower, store } of nodes) {
      await until(
        () => store.state().epoch === nodes[1].store.state().epoch,
        'each node has the new epoch',
        BACK_MS_MAX,
      )
      await until(() => store.state().head === 1, 'each node knows what waited', BACK_MS_MAX)
      expect(follower.entries.filter(({ body }) => body === '"waits"').length).toBeLessThanOrEqual(1)
    }
  })

  it('by a restart that may have lost writes: a new epoch that keeps the entries and their ids', async () => {
    const nats = await start()
    const channel = channelName()
    const nodes = [await open(nats.url, channel), await open(nats.url, channel)] as const
    await appendNumbers(nodes[0].store, 1, 4)
    const x = draft('"x"', { id: 'x', isIdempotent: true })
    expect(await append(nodes[0].store, [x])).toEqual([5])
    await nodes[1].follower.waitFor(5)
    const { epoch } = nodes[0].store.state()
    await nats.kill()
    await nats.startAgain()
    await requireNewEpoch(nodes, epoch, 5)
    expect(await append(nodes[1].store, [x])).toEqual([5])
    expect((await nodes[1].store.read(3, 10, 1_000_000)).entries[0]?.body).toBe('4')
    const late = await open(nats.url, channel)
    expect(late.store.state()).toEqual(nodes[0].store.state())
  })

  it('as its newest messages are gone: a new epoch at the head that is left', async () => {
    const nats = await start()
    const channel = channelName()
    const node = await open(nats.url, channel, 'sync=always')
    await appendNumbers(node.store, 1, 5)
    const { epoch } = node.store.state()
    await administer(nats.url, channel, async (streams, name) => {
      const { state } = await streams.info(name)
      await streams.deleteMessage(name, state.last_seq)
      await streams.deleteMessage(name, state.last_seq - 1)
    })
    const late = await open(nats.url, channel, 'sync=always')
    expect(late.store.state().head).toBe(3)
    await append(late.store, [draft('"other"')])
    await until(() => node.follower.epochs.length > 0, 'the node is told that the log is another', BACK_MS_MAX)
    expect(node.store.state().epoch).not.toBe(epoch)
  }, 30_000)

  it('as somebody purges the stream: the history is gone, and offsets go on', async () => {
    const nats = await start()
    const channel = channelName()
    const node = await open(nats.url, channel)
    await appendNumbers(node.store, 1, 5)
    await administer(nats.url, channel, (streams, name) => streams.purge(name))
    await until(() => node.store.state().trimmedTo === 5, 'the node knows that the history is gone')
    expect((await node.store.read(0, 10, 1000)).isTrimmed).toBe(true)
    expect(await append(node.store, [draft('6')])).toEqual([6])
  })
})

describe.skipIf(!hasNats)('a NATS server that goes away and comes back', () => {
  it('with all that it was told, where each write is synced: in the same epoch, with nothing twice', async () => {
    const nats = await start()
    const channel = channelName()
    const nodes = [await open(nats.url, channel, 'sync=always'), await open(nats.url, channel, 'sync=always')] as const
    await appendNumbers(nodes[0].store, 1, 5)
    const state = nodes[0].store.state()
    await nats.kill()
    await until(() => nodes[0].store.trouble !== undefined, 'the node says that something troubles it')
    expect(nodes[0].store.trouble).toMatch(/^NATS (?:can't be reached|does not take appends): /)
    const waiting = range(6, 10).map((number) => append(nodes[0].store, [draft(String(number))]))
    await nats.startAgain()
    await Promise.all(waiting)
    for (const { follower } of nodes) {
      await until(() => follower.entries.length === 10, 'each node has all', BACK_MS_MAX)
      expect(follower.entries.map(({ body }) => body)).toEqual(range(1, 10).map(String))
      expect(follower.epochs).toEqual([])
    }
    expect(nodes[0].store.state()).toEqual({ ...state, head: 10 })
    await until(() => nodes[0].store.trouble === undefined, 'nothing troubles the node any more')
  })

  it('appends once what it had appended before its answer was lost', async () => {
    const nats = await start()
    const { proxy, node } = await openThroughProxy(nats)
    await appendNumbers(node.store, 1, 3)
    for (const number of range(4, 9)) {
      // The answer is lost, all of it or the end of it; the message is not.
      proxy.cutAfter(1 + (number % 4) * 5, 'client')
      await append(node.store, [draft(String(number))])
    }
    await until(() => node.follower.entries.length >= 9, 'the node has all', BACK_MS_MAX)
    expect(node.follower.entries.map(({ body }) => body)).toEqual(range(1, 9).map(String))
    expect(node.follower.epochs).toEqual([])
  }, 30_000)

  it.each([
    ['answers do not come', ['client']],
    ['nothing arrives', ['server']],
    ['neither', ['client', 'server']],
  ] as const)(
    'behind a network on which %s',
    async (_what, directions) => {
      const nats = await start()
      const { proxy, node, channel } = await openThroughProxy(nats)
      const other = await open(nats.url, channel)
      await appendNumbers(node.store, 1, 3)
      for (const direction of directions) proxy.hold(direction, true)
      const waiting = append(node.store, [draft('"waits"')])
      await append(other.store, [draft('"other"')])
      await until(() => node.store.trouble !== undefined, 'the node says that it is cut off', BACK_MS_MAX)
      for (const direction of directions) proxy.hold(direction, false)
      await waiting
      await until(() => node.follower.entries.length === 5, 'the node has all', BACK_MS_MAX)
      expect(node.follower.entries.map(({ body }) => body).sort()).toEqual(['"other"', '"waits"', '1', '2', '3'])
      await other.follower.waitFor(5)
      expect(other.follower.entries).toEqual(node.follower.entries)
      expect([node, other].flatMap(({ follower }) => follower.epochs)).toEqual([])
    },
    30_000,
  )
})

describe.skipIf(!hasNats)('what a NATS server is told, and says', () => {
  it.each([
    ['', 'logged'],
    ['storage=memory', 'memory'],
    ['sync=always', 'synced'],
  ])('%s: its receipts say %s', async (parameters, durability) => {
    const nats = await start()
    const { store } = await open(nats.url, channelName(), parameters)
    expect((await store.append([draft('1')])).durability).toBe(durability)
  })

  it('is refused where more is asked for than it keeps', async () => {
    const nats = await start()
    const store = createNatsStore(nats.url, channelName(), UNBOUNDED, '', { durability: 'synced' })
    await expect(store.open(new Follower())).rejects.toThrow(/'logged'.*sync_interval: always/)
  })

  it('too much for one message: an error that says what to raise', async () => {
    const nats = await start('max_payload: 20000')
    const { store } = await open(nats.url, channelName())
    const large = JSON.stringify('x'.repeat(20_000))
    await expect(store.append([draft(large)])).rejects.toMatchObject({
      code: 'body_too_large',
      message: expect.stringMatching(/max_payload/),
    })
    expect(await append(store, [draft('1')])).toEqual([1])
  })

  it('too much for one message where appends go together: each that fits alone is taken', async () => {
    const nats = await start('max_payload: 20000')
    const { store } = await open(nats.url, channelName())
    const half = JSON.stringify('x'.repeat(10_000))
    const bodies = ['1', half, half, JSON.stringify('x'.repeat(20_000)), half, '2']
    const outcomes = await Promise.all(
      bodies.map((body) =>
        store.append([draft(body)]).then(
          ({ offsets }) => offsets[0],
          ({ code }) => code as string,
        ),
      ),
    )
    expect(outcomes).toEqual([1, 2, 3, 'body_too_large', 4, 5])
  })

  it('drops messages whose entries are history no more, but the last', async () => {
    const nats = await start()
    const channel = channelName()
    let now = 1_000_000
    const { store } = await open(nats.url, channel, '', { historyAgeMaxMs: 60_000, now: () => now })
    for (const number of range(1, 20)) await append(store, [draft(String(number), { postedAt: now })])
    now += 60_001
    const counts: number[] = []
    while (counts.at(-1) !== 1 && counts.length < 50) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      await administer(nats.url, channel, async (streams, name) =>
        counts.push((await streams.info(name)).state.messages),
      )
    }
    expect(counts.at(-1)).toBe(1)
    const late = await open(nats.url, channel, '', { historyAgeMaxMs: 60_000, now: () => now })
    expect(late.store.state()).toEqual({ ...store.state(), head: 20, trimmedTo: 20 })
    expect(await append(late.store, [draft('21', { postedAt: now })])).toEqual([21])
  })

  it('keeps channels apart, whatever they are called', async () => {
    const nats = await start()
    const names = ['a', 'A', 'a.b', '*', '>', 'a b', '__proto__', 'é', '$JS']
    const nodes = await Promise.all(names.map((name) => open(nats.url, name)))
    for (const [index, { store }] of nodes.entries()) await append(store, [draft(String(index))])
    for (const [index, { follower, store }] of nodes.entries()) {
      await store.signal(`from ${index}`)
      expect((await follower.waitFor(1)).map(({ body }) => body)).toEqual([String(index)])
      expect(follower.signals).toEqual([])
    }
    expect(new Set(nodes.map(({ store }) => store.state().epoch)).size).toBe(names.length)
  })
})
