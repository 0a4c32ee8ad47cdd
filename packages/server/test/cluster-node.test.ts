import { describe, expect, it } from 'vitest'
import { SIGNAL_BYTES_MAX } from '../src/channel/store.ts'
import { Cluster } from '../src/cluster/cluster.ts'
import type { Question, Signal } from '../src/cluster/signal.ts'
import { SignalReader, toTexts } from '../src/cluster/signal-text.ts'
import { range } from './channel-scene.ts'
import { FakeClock } from './fake-clock.ts'

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
