import { describe, expect, it } from 'vitest'
import { ChannelError } from '../src/channel/channel-error.ts'
import { SIGNAL_BYTES_MAX } from '../src/channel/store.ts'
import { Cluster, type ClusterParts } from '../src/cluster/cluster.ts'
import { toInvocation } from '../src/cluster/invocation-text.ts'
import type { Question, Signal } from '../src/cluster/signal.ts'
import { SignalReader, toTexts } from '../src/cluster/signal-text.ts'
import type { LocalClients } from '../src/hub/remote-clients.ts'
import { range } from './channel-scene.ts'
import { FakeClock } from './fake-clock.ts'

/** Of nodes whose answers, hubs and neighbours are of no matter. */
const SILENT: Omit<ClusterParts, 'id' | 'clock' | 'signal'> = {
  timeoutMs: 1000,
  answer: () => 1,
  hubAt: () => undefined,
  onAddress: () => {},
  onGone: () => {},
  onError: () => {},
}

/** Nodes that hear each other at once, unless one is cut off. */
function openCluster(names: readonly string[]) {
  const clock = new FakeClock()
  const cut = new Set<string>()
  const heard: string[] = []
  const nodes = new Map<string, Cluster>()
  const sizes: number[] = []
  for (const id of names) {
    const cluster = new Cluster({
      id,
      clock,
      timeoutMs: 1000,
      signal: (text) => {
        sizes.push(Buffer.byteLength(text))
        if (!cut.has(id)) {
          for (const [other, node] of nodes) if (other !== id && !cut.has(other)) node.hear(text)
        }
        return Promise.resolve()
      },
      answer: (question: Question) => {
        heard.push(`${id}: ${question.what}`)
        return 1
      },
      hubAt: () => undefined,
      onAddress: () => {},
      onGone: () => {},
      onError: (error) => {
        throw error
      },
    })
    nodes.set(id, cluster)
    cluster.open()
  }
  const at = (id: string): Cluster => {
    const node = nodes.get(id)
    if (!node) throw new Error(`There is no node ${id}`)
    return node
  }
  return { clock, cut, heard, sizes, at }
}

describe('a node that is cut off', () => {
  it('is taken for dead, and all is told again when it is back', () => {
    const { clock, cut, at } = openCluster(['a', 'b', 'c'])
    clock.advance(2000)
    at('a').came('1', 'u')
    clock.advance(100)
    expect([...at('b').connectionsOf('u')]).toEqual(['1'])
    cut.add('a')
    at('a').came('2', 'u')
    at('b').came('3', 'v')
    clock.advance(6000)
    expect(at('b').nodeCount).toBe(2)
    expect([...at('b').connectionsOf('u')]).toEqual([])
    cut.delete('a')
    clock.advance(4000)
    expect(at('b').nodeCount).toBe(3)
    expect([...at('b').connectionsOf('u')].sort()).toEqual(['1', '2'])
    expect([...at('a').connectionsOf('v')]).toEqual(['3'])
  })

  it('for a moment only, misses nothing for long either', () => {
    const { clock, cut, at } = openCluster(['a', 'b'])
    clock.advance(2000)
    cut.add('b')
    at('a').came('1', 'u')
    clock.advance(100)
    cut.delete('b')
    at('a').came('2', 'u')
    clock.advance(4000)
    expect([...at('b').connectionsOf('u')].sort()).toEqual(['1', '2'])
  })

  it('is not waited for longer than is said, and not at all once it is dead', async () => {
    const { clock, cut, at, heard } = openCluster(['a', 'b', 'c'])
    clock.advance(2000)
    cut.add('c')
    const asked = at('a').ask({ what: 'allowUser', user: 'u' })
    clock.advance(1000)
    expect(await asked).toBe(1)
    expect(heard).toEqual(['b: allowUser'])
    clock.advance(6000)
    expect(await at('a').ask({ what: 'allowUser', user: 'u' })).toBe(1)
  })
})

describe('what nodes say', () => {
  it('stays within what every engine carries, whatever it is', () => {
    const { clock, at, sizes } = openCluster(['a', 'b'])
    clock.advance(2000)
    for (const number of range(1, 500)) at('a').came(`connection-${number}`, '😀"\\'.repeat(80))
    clock.advance(2000)
    expect([...at('b').connectionsOf('😀"\\'.repeat(80))]).toHaveLength(500)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(SIGNAL_BYTES_MAX)
  })

  it('comes in parts where it is large, and is passed over where a part is missing or it is nonsense', () => {
    const signal: Signal = { kind: 'call', path: '/x', audience: { all: true }, invocation: 'é'.repeat(100_000) }
    const texts = toTexts('a', signal)
    expect(texts.length).toBeGreaterThan(20)
    const reader = new SignalReader()
    const read = texts.map((text) => reader.read(text))
    expect(read.at(-1)).toEqual({ from: 'a', signal })
    expect(read.slice(0, -1).every((one) => one === undefined)).toBe(true)
    expect(texts.filter((_, index) => index !== 3).map((text) => reader.read(text))).not.toContainEqual({
      from: 'a',
      signal,
    })
    for (const text of [
      '',
      '{',
      'null',
      '1',
      '{}',
      '{"from":1}',
      '{"from":"a","part":0}',
      '{"from":"a","part":0,"of":1e9,"data":"x"}',
    ]) {
      expect(reader.read(text)).toBeUndefined()
    }
    expect(() => toTexts('a', { ...signal, invocation: 'x'.repeat(1_100_000) })).toThrow(RangeError)
  })
})

describe('a user who must stay away', () => {
  it('may come when the time is over, or when that is said', () => {
    const { clock, at } = openCluster(['a'])
    at('a').block('u', clock.now() + 1000)
    at('a').block('v', clock.now() + 1000)
    at('a').allow('v')
    expect([at('a').isBlocked('u'), at('a').isBlocked('v')]).toEqual([true, false])
    clock.advance(1000)
    expect(at('a').isBlocked('u')).toBe(false)
  })
})

describe('a node that closes', () => {
  it('waits until it has said so, but not for ever', async () => {
    const clock = new FakeClock()
    const said: string[] = []
    let proceed: (() => void) | undefined
    const open = (signal: (text: string) => Promise<void>): Cluster => {
      const cluster = new Cluster({ ...SILENT, id: 'a', clock, signal })
      cluster.open()
      return cluster
    }
    const order: string[] = []
    const slow = open((text) => {
      said.push(text)
      return new Promise((resolve) => {
        proceed = resolve
      })
    })
    const closed = slow.close().then(() => order.push('closed'))
    await Promise.resolve()
    expect(said.at(-1)).toContain('"bye"')
    order.push('said')
    proceed?.()
    await closed
    expect(order).toEqual(['said', 'closed'])
    const never = open(() => new Promise(() => {})).close()
    clock.advance(1000)
    await never
    await open(() => Promise.reject(new Error('away'))).close()
  })
})

/** Nodes `a` and `b`; the hub's connection `c` is at `b`, and answers when the test says so. */
function openHubCluster() {
  const clock = new FakeClock()
  let isCut = false
  const asked: { resolve(result: unknown): void; reject(error: Error): void; signal: AbortSignal | undefined }[] = []
  const hub: LocalClients = {
    send: () => {},
    setGroup: () => false,
    invoke: (connection, _target, _args, { signal }) =>
      connection === 'c' ? new Promise((resolve, reject) => asked.push({ resolve, reject, signal })) : undefined,
  }
  const nodes = new Map<string, Cluster>()
  for (const id of ['a', 'b']) {
    const signal = (text: string): Promise<void> => {
      if (!isCut) nodes.get(id === 'a' ? 'b' : 'a')?.hear(text)
      return Promise.resolve()
    }
    nodes.set(id, new Cluster({ ...SILENT, id, clock, signal, hubAt: () => (id === 'b' ? hub : undefined) }))
  }
  const [a, b] = [...nodes.values()] as [Cluster, Cluster]
  a.open()
  b.open()
  const timers = clock.timerCount
  const invoke = (connection = 'c', signal?: AbortSignal): Promise<unknown> =>
    a.invoke(
      { path: '/chat', connection, invocation: () => toInvocation('Name', []) },
      { timeoutMs: 30_000, ...(signal && { signal }) },
    )
  return { clock, asked, a, b, invoke, timers, cut: (is: boolean) => (isCut = is) }
}

function reasonOf(result: Promise<unknown>): Promise<unknown> {
  return result.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('a result of another node’s client', () => {
  it('comes, or its error does, and leaves nothing behind', async () => {
    const { clock, asked, invoke, timers } = openHubCluster()
    const results = [invoke(), invoke(), invoke('nobody')]
    asked[0]?.resolve({ name: 'Ada' })
    asked[1]?.reject(new ChannelError('client_timeout', 'None came.'))
    const [first, second, third] = await Promise.allSettled(results)
    expect(first).toMatchObject({ value: { name: 'Ada' } })
    expect(second).toMatchObject({ reason: { code: 'client_timeout', message: 'None came.' } })
    expect(third).toMatchObject({ reason: { code: 'not_found' } })
    expect(clock.timerCount).toBe(timers)
  })

  it('is not awaited of a node that is cut off, once that is taken for dead', async () => {
    const { clock, asked, a, invoke, cut } = openHubCluster()
    const reason = reasonOf(invoke())
    cut(true)
    clock.advance(5000)
    expect(a.nodeCount).toBe(1)
    expect(await reason).toMatchObject({ code: 'not_found', message: "Connection 'c' was lost: its node is gone." })
    // The other one knows that nobody awaits it any more.
    expect(asked[0]?.signal?.aborted).toBe(true)
  })

  it('is not looked for at nodes that are dead, but at those that are slow', async () => {
    const { clock, invoke, cut } = openHubCluster()
    cut(true)
    const reason = reasonOf(invoke())
    clock.advance(1000)
    expect(await Promise.race([reason, Promise.resolve('still looked for')])).toBe('still looked for')
    clock.advance(4000)
    expect(await reason).toMatchObject({ code: 'not_found', message: "There is no connection 'c'." })
  })

  it('that is lost on the way is one that did not come in time', async () => {
    const { clock, asked, invoke, cut } = openHubCluster()
    const reason = reasonOf(invoke())
    cut(true)
    asked[0]?.resolve('lost')
    await Promise.resolve()
    clock.advance(900)
    cut(false)
    for (let second = 0; second < 31; second++) clock.advance(1000)
    expect(await reason).toMatchObject({ code: 'client_timeout' })
  })

  it('that is not awaited any more is not asked for any more', async () => {
    const { asked, invoke } = openHubCluster()
    const controller = new AbortController()
    const reason = reasonOf(invoke('c', controller.signal))
    controller.abort(new Error('enough'))
    expect(await reason).toMatchObject({ message: 'enough' })
    expect(asked[0]?.signal?.aborted).toBe(true)
  })
})
