import { describe, expect, it } from 'vitest'
import { Chunk } from '../src/channel/chunk.ts'
import { defineHub } from '../src/hub/hub-definition.ts'
import { Said } from '../src/hub/said.ts'
import { openRuntime } from './hub-runtime-scene.ts'

const chunk = (text: string): Chunk => new Chunk(Buffer.from(text), 1)

describe('what was said in a turn', () => {
  it('is joined once for all to whom the very same was said', () => {
    const [a, b, c] = [chunk('a'), chunk('b'), chunk('c')]
    const said = (...chunks: Chunk[]): Chunk => {
      const one = new Said()
      for (const each of chunks) one.add(each)
      return one.joined()
    }
    const whole = said(a, b, c)
    expect([whole.payload.toString(), whole.countedMessages]).toEqual(['abc', 3])
    expect(said(a, b, c)).toBe(whole)
    expect(said(a, c).payload.toString()).toBe('ac')
    expect(said(a)).toBe(a)
  })

  it('goes out in two pieces, the first of them at once, and before what is written past it', () => {
    const hub = defineHub<{ server: object; client: { Said(text: string): void } }>({ methods: {} })
    const { runtime, clock, connect } = openRuntime(hub)
    const [a, b] = [connect('a'), connect('b')]
    const before = a.transport.taken.length
    for (const text of ['1', '2', '3']) runtime.clients.all.send('Said', text)
    expect(a.transport.taken.length - before).toBe(1)
    b.connection.write(chunk('past'))
    expect(b.transport.text.replaceAll(/[^123past]/g, '')).toMatch(/1.*2.*3.*past$/)
    clock.turn()
    expect(a.transport.taken.length - before).toBe(2)
    expect(a.records.map((record) => (JSON.parse(record) as { arguments: unknown[] }).arguments[0])).toEqual([
      '1',
      '2',
      '3',
    ])
  })

  it('is not lost where the connection is ended in the same turn', () => {
    const hub = defineHub<{ server: object; client: { Said(text: string): void } }>({ methods: {} })
    const { runtime, connect } = openRuntime(hub)
    const client = connect('a')
    for (const text of ['1', '2']) runtime.clients.all.send('Said', text)
    client.connection.end({ type: 7 })
    expect(client.records.map((record) => (JSON.parse(record) as { type: number }).type)).toEqual([1, 1, 7])
  })
})
