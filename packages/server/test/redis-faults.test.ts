import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CuttingProxy } from '../../../test/support/cutting-proxy.ts'
import { hasRedis, RedisProcess, type RedisSettings } from '../../../test/support/redis-process.ts'
import type { Store } from '../src/channel/store.ts'
import { range } from './channel-scene.ts'
import { channelName } from './engine-bounds.ts'
import { createRedisStore } from './redis-scene.ts'
import { append, draft, Follower } from './store-contract.ts'
import { until } from './until.ts'

/** What an engine that went away and came back may take to be found, at most. */
const BACK_MS_MAX = 10_000

interface Node {
  readonly store: Store
  readonly follower: Follower
  readonly warnings: readonly string[]
}

async function start(settings: RedisSettings = {}): Promise<RedisProcess> {
  const redis = await RedisProcess.start(settings)
  onTestFinished(() => redis.close())
  return redis
}

async function open(url: string, channel: string, parameters = ''): Promise<Node> {
  const warnings: string[] = []
  const onWarning = (text: string): void => void warnings.push(text)
  const store = createRedisStore(url, channel, undefined, parameters, { onWarning })
  const follower = new Follower()
  await store.open(follower)
  onTestFinished(() => store.close())
  return { store, follower, warnings }
}

async function openTwo(url: string): Promise<readonly [Node, Node]> {
  const channel = channelName()
  return [await open(url, channel), await open(url, channel)]
}

async function openThroughProxy(redis: RedisProcess): Promise<{ proxy: CuttingProxy; node: Node; channel: string }> {
  const proxy = new CuttingProxy(redis.port)
  const url = `redis://127.0.0.1:${await proxy.listen()}`
  onTestFinished(() => proxy.close())
  const channel = channelName()
  return { proxy, node: await open(url, channel), channel }
}

async function appendNumbers(store: Store, from: number, to: number): Promise<void> {
  for (const number of range(from, to)) await append(store, [draft(String(number))])
}

/** Both are told of one new epoch, once, and of all that comes after it. */
async function requireNewEpoch(nodes: readonly Node[], before: string, head: number): Promise<void> {
  for (const { follower } of nodes) {
    await until(() => follower.epochs.length === 1, 'each node is told of the new epoch', BACK_MS_MAX)
  }
  const [first] = nodes
  const state = first?.follower.epochs[0]
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

describe.skipIf(!hasRedis)('a Redis that loses what it had', () => {
  it('by FLUSHALL: one new epoch for all nodes, which begins anew', async () => {
    const redis = await start()
    const nodes = await openTwo(redis.url)
    await appendNumbers(nodes[0].store, 1, 5)
    const { epoch } = nodes[0].store.state()
    redis.cli('FLUSHALL')
    await requireNewEpoch(nodes, epoch, 0)
    expect(nodes.flatMap(({ warnings }) => warnings).join()).toContain('there is no log')
  })

  it('by a restart without persistence: what waits meanwhile is appended in the new epoch, once', async () => {
    const redis = await start()
    const nodes = await openTwo(redis.url)
    await appendNumbers(nodes[0].store, 1, 5)
    const { epoch } = nodes[0].store.state()
    await redis.kill()
    const waiting = append(nodes[1].store, [draft('"waits"')])
    await redis.startAgain()
    expect(await waiting).toEqual([1])
    for (const { follower } of nodes) {
      await until(() => follower.entries.at(-1)?.body === '"waits"', 'each node gets what waited', BACK_MS_MAX)
      expect(follower.epochs.map((state) => state.epoch)).toEqual([nodes[0].store.state().epoch])
      expect(follower.epochs[0]?.epoch).not.toBe(epoch)
    }
  })

  it('by a restart that may have lost writes: a new epoch that keeps the entries and their ids', async () => {
    const redis = await start({ appendOnly: true, appendSync: 'everysec' })
    const nodes = await openTwo(redis.url)
    await appendNumbers(nodes[0].store, 1, 4)
    const x = draft('"x"', { id: 'x', isIdempotent: true })
    expect(await append(nodes[0].store, [x])).toEqual([5])
    const { epoch } = nodes[0].store.state()
    await redis.kill()
    await redis.startAgain()
    await requireNewEpoch(nodes, epoch, 5)
    expect(await append(nodes[1].store, [x])).toEqual([5])
    expect((await nodes[1].store.read(3, 10, 1_000_000)).entries[0]?.body).toBe('4')
  })

  it('by a fail-over to a replica that is behind: a new epoch at the head that the replica has', async () => {
    const master = await start()
    const cable = new CuttingProxy(master.port)
    const replica = await start({ masterPort: await cable.listen() })
    onTestFinished(() => cable.close())
    const proxy = new CuttingProxy(master.port)
    const url = `redis://127.0.0.1:${await proxy.listen()}`
    onTestFinished(() => proxy.close())
    const nodes = await openTwo(url)
    await appendNumbers(nodes[0].store, 1, 5)
    await until(() => master.isReplicated(), 'the replica has all')
    cable.refuse(true)
    cable.cut()
    await appendNumbers(nodes[0].store, 6, 8)
    const { epoch } = nodes[0].store.state()
    for (const { follower } of nodes) await follower.waitFor(8)
    await master.kill()
    replica.cli('REPLICAOF', 'NO', 'ONE')
    proxy.targetPort = replica.port
    await requireNewEpoch(nodes, epoch, 5)
  })

  it('by the stream alone: a new epoch without history, and offsets go on', async () => {
    const redis = await start()
    const nodes = await openTwo(redis.url)
    await appendNumbers(nodes[0].store, 1, 5)
    const { epoch } = nodes[0].store.state()
    const [key = ''] = redis.cli('--scan', '--pattern', '*:log:*').split('\n')
    redis.cli('DEL', key)
    await requireNewEpoch(nodes, epoch, 5)
    expect((await nodes[0].store.read(0, 10, 1000)).isTrimmed).toBe(true)
  })
})

describe.skipIf(!hasRedis)('a Redis that goes away and comes back', () => {
  it('with all that it was told, where each write is synced: in the same epoch, with nothing twice', async () => {
    const redis = await start({ appendOnly: true, appendSync: 'always' })
    const nodes = await openTwo(redis.url)
    await appendNumbers(nodes[0].store, 1, 5)
    const state = nodes[0].store.state()
    await redis.kill()
    await until(() => nodes[0].store.trouble !== undefined, 'the node says that something troubles it')
    expect(nodes[0].store.trouble).toMatch(/^Redis (?:can't be reached|does not take appends): /)
    const waiting = range(6, 10).map((number) => append(nodes[0].store, [draft(String(number))]))
    await redis.startAgain()
    await Promise.all(waiting)
    for (const { follower } of nodes) {
      const entries = await follower.waitFor(10)
      expect(entries.map(({ body }) => body)).toEqual(range(1, 10).map(String))
      expect(follower.epochs).toEqual([])
    }
    expect(nodes[0].store.state()).toEqual({ ...state, head: 10 })
    await until(() => nodes[0].store.trouble === undefined, 'nothing troubles the node any more')
  })

  it('appends once what it had appended before its answer was lost', async () => {
    const redis = await start()
    const { proxy, node } = await openThroughProxy(redis)
    await appendNumbers(node.store, 1, 3)
    for (const number of range(4, 13)) {
      // The answer is lost, all of it or the end of it; the command is not.
      proxy.cutAfter(1 + (number % 4) * 5, 'client')
      await append(node.store, [draft(String(number))])
    }
    const entries = await node.follower.waitFor(13)
    expect(entries.map(({ body }) => body)).toEqual(range(1, 13).map(String))
    expect(node.follower.epochs).toEqual([])
  })

  it.each([
    ['answers do not come', ['client']],
    ['nothing arrives', ['server']],
    ['neither', ['client', 'server']],
  ] as const)(
    'behind a network on which %s',
    async (_what, directions) => {
      const redis = await start()
      const { proxy, node, channel } = await openThroughProxy(redis)
      const other = await open(redis.url, channel)
      await appendNumbers(node.store, 1, 3)
      for (const direction of directions) proxy.hold(direction, true)
      const waiting = append(node.store, [draft('"waits"')])
      await append(other.store, [draft('"other"')])
      await until(() => node.store.trouble !== undefined, 'the node says that it is cut off', BACK_MS_MAX)
      for (const direction of directions) proxy.hold(direction, false)
      await waiting
      const entries = await node.follower.waitFor(5)
      expect(entries.map(({ body }) => body).sort()).toEqual(['"other"', '"waits"', '1', '2', '3'])
      await other.follower.waitFor(5)
      expect(other.follower.entries).toEqual(entries)
      expect([node, other].flatMap(({ follower }) => follower.epochs)).toEqual([])
    },
    30_000,
  )

  it.each(['reader', 'signals'])('on one connection only, that of the %s: found within 10 s', async (name) => {
    const redis = await start()
    const { proxy, node, channel } = await openThroughProxy(redis)
    const other = await open(redis.url, channel)
    const clients = redis.cli('CLIENT', 'LIST').split('\n')
    const ports = clients
      .filter((line) => line.includes(` name=serverchannel-${name} `))
      .map((line) => Number(/ addr=127\.0\.0\.1:(\d+) /.exec(line)?.[1]))
    const held = ports.filter((port) => holdIfOf(proxy, port))
    expect(held).toHaveLength(1)
    const started = performance.now()
    if (name === 'reader') {
      await append(other.store, [draft('"missed"')])
      await until(() => node.follower.entries.length === 1, 'the node reads along again', BACK_MS_MAX)
    } else {
      await until(
        () => {
          other.store.signal('heard').catch(() => {})
          return node.follower.signals.length > 0
        },
        'the node hears again',
        BACK_MS_MAX,
      )
    }
    expect(performance.now() - started).toBeLessThan(BACK_MS_MAX)
  })
})

/** @returns whether the connection is one of the proxy's, which is held then */
function holdIfOf(proxy: CuttingProxy, port: number): boolean {
  try {
    proxy.holdConnection(port)
    return true
  } catch {
    return false
  }
}

describe.skipIf(!hasRedis)('what a Redis says of itself', () => {
  it.each([
    [{}, 'memory'],
    [{ appendOnly: true, appendSync: 'everysec' }, 'logged'],
    [{ appendOnly: true, appendSync: 'no' }, 'logged'],
    [{ appendOnly: true, appendSync: 'always' }, 'synced'],
    [{ appendOnly: true, appendSync: 'always', more: ['--no-appendfsync-on-rewrite', 'yes'] }, 'logged'],
    [{ appendOnly: true, appendSync: 'always', more: ['--rename-command', 'CONFIG', ''] }, 'logged'],
  ] as const)('%o: its receipts say %s', async (settings, durability) => {
    const redis = await start(settings)
    const { store } = await open(redis.url, channelName())
    expect(store.durability).toBe(durability)
    expect((await store.append([draft('1')])).durability).toBe(durability)
  })

  it('replicated where the replicas that were asked for have it, and what it is where they have not', async () => {
    const master = await start()
    const replica = await start({ masterPort: master.port })
    await until(() => master.isReplicated(), 'the replica is there', BACK_MS_MAX)
    const { store } = await open(master.url, channelName(), 'replicas=1&replicasTimeoutMs=2000')
    expect(store.durability).toBe('replicated')
    expect((await store.append([draft('1')])).durability).toBe('replicated')
    await replica.kill()
    expect((await store.append([draft('2')])).durability).toBe('memory')
  })

  it('is refused where more is asked for than it keeps', async () => {
    const redis = await start({ appendOnly: true, appendSync: 'everysec' })
    const store = createRedisStore(redis.url, channelName(), undefined, '', { durability: 'synced' })
    await expect(store.open(new Follower())).rejects.toThrow(/'logged'.*appendfsync always/)
  })

  it('full: an append fails at once, may be tried again, and the node says why until it is not full any more', async () => {
    const redis = await start()
    const { store } = await open(redis.url, channelName())
    redis.cli('CONFIG', 'SET', 'maxmemory', '1')
    await expect(store.append([draft('1')])).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('OOM'),
    })
    expect(store.trouble).toContain('OOM')
    redis.cli('CONFIG', 'SET', 'maxmemory', '0')
    await until(() => store.trouble === undefined, 'it takes appends again, also where nobody tries')
    expect(await append(store, [draft('1')])).toEqual([1])
  })

  it('against an append: what was posted does not hang on the error, which is logged', async () => {
    const redis = await start()
    const { store } = await open(redis.url, channelName())
    redis.cli('CONFIG', 'SET', 'maxmemory', '1')
    const error: unknown = await store.append([draft('"geheim"')]).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'store_failed' })
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('geheim')
  })

  it('without its scripts: they are given to it again', async () => {
    const redis = await start()
    const { store } = await open(redis.url, channelName())
    await append(store, [draft('1')])
    redis.cli('SCRIPT', 'FLUSH')
    expect(await append(store, [draft('2')])).toEqual([2])
  })

  it('not there: opening fails with an error that says where', async () => {
    const redis = await start()
    await redis.kill()
    const store = createRedisStore(redis.url, channelName())
    await expect(store.open(new Follower())).rejects.toThrow(/Redis can't be used for the log: .*ECONNREFUSED/)
  })
})

describe.skipIf(!hasRedis)('channels of one Redis', () => {
  it('do not meet, whatever they are called', async () => {
    const redis = await start()
    const names = ['a', 'A', 'a:log', '{a}', '*', '__proto__', 'é', ' ']
    const stores = await Promise.all(names.map((name) => open(redis.url, name)))
    for (const [index, { store }] of stores.entries()) await append(store, [draft(String(index))])
    for (const [index, { follower, store }] of stores.entries()) {
      await store.signal(`from ${index}`)
      expect((await follower.waitFor(1)).map(({ body }) => body)).toEqual([String(index)])
      expect(follower.signals).toEqual([])
    }
    expect(new Set(stores.map(({ store }) => store.state().epoch)).size).toBe(names.length)
  })
})
