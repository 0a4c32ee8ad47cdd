import { jsonCodec } from '@serverchannel/protocol'
import { describe, expect, it } from 'vitest'
import { Chunk } from '../src/channel/chunk.ts'
import { ResumableTransport } from '../src/hub/resumable-transport.ts'
import { resolveLimits } from '../src/options.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeTransport } from './fake-transport.ts'

const call = (text: string, count = 1): Chunk => new Chunk(Buffer.from(text), count)
const PING = new Chunk(Buffer.from('ping'), 0)
const sequence = (id: number): string => `{"type":9,"sequenceId":${id}}\x1e`
const ack = (id: number): string => `{"type":8,"sequenceId":${id}}\x1e`

function open(statefulBufferBytes = 1024) {
  const clock = new FakeClock()
  const inner = new FakeTransport()
  const told: string[] = []
  const transport = new ResumableTransport(inner, { clock, limits: resolveLimits({ statefulBufferBytes }) })
  transport.listen({
    onData: (data) => told.push(`data ${data.toString()}`),
    onDrain: () => told.push('drain'),
    onClose: (isLost) => told.push(`close ${isLost}`),
  })
  transport.begin(jsonCodec)
  return { clock, inner, told, transport }
}

function openFlowing(statefulBufferBytes?: number) {
  const scene = open(statefulBufferBytes)
  scene.inner.send('first')
  scene.told.length = 0
  return scene
}

describe('after the handshake', () => {
  it('what counts waits for the client’s next frame (0.2)', () => {
    const { inner, transport, told } = open()
    transport.write(call('a'))
    expect([inner.text, transport.bufferedBytes > 0]).toEqual(['', true])
    inner.send('ping')
    expect([inner.text, transport.bufferedBytes]).toEqual(['a', 0])
    expect(told).toEqual(['drain', 'data ping'])
  })

  it('what counts waits half a second for a client that says nothing', () => {
    const { inner, transport, clock } = open()
    transport.write(call('a'))
    clock.advance(499)
    expect(inner.text).toBe('')
    clock.advance(1)
    expect(inner.text).toBe('a')
  })

  it('the end comes after what waits', () => {
    const { inner, transport } = open()
    transport.write(call('a'))
    transport.write(new Chunk(Buffer.from('close'), 0))
    transport.close(1000)
    expect([inner.text, inner.closedWith]).toEqual(['aclose', 1000])
  })

  it('no more than the buffer holds waits, and nothing of it is lost', () => {
    const { inner, transport } = open()
    for (let i = 0; i < 20; i++) transport.write(call(`${i} ${'x'.repeat(100)} `))
    expect(inner.text.match(/\d+/g)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`))
  })
})

describe('a network that breaks', () => {
  it('is no end: what was not acknowledged is said again on the next socket, after where it goes on (R2)', () => {
    const { inner, transport, told } = openFlowing()
    for (const text of ['a', 'b', 'c']) transport.write(call(text))
    transport.accepts({ type: 8, sequenceId: 1 })
    inner.hangUp(true)
    transport.write(call('d'))
    transport.write(PING)
    expect([told, transport.canResume, transport.isAway]).toEqual([[], true, true])
    const next = new FakeTransport()
    transport.resumeOn(next)
    expect(next.text).toBe(`${sequence(2)}bcd`)
    transport.write(call('e'))
    expect(next.text).toBe(`${sequence(2)}bcde`)
    expect(told).toEqual(['drain'])
  })

  it('goes on from the next number where all was acknowledged', () => {
    const { inner, transport } = openFlowing()
    transport.write(call('ab', 2))
    transport.accepts({ type: 8, sequenceId: 2 })
    inner.hangUp(true)
    const next = new FakeTransport()
    transport.resumeOn(next)
    expect(next.text).toBe(sequence(3))
  })

  it('begins with the whole piece where a part of it was acknowledged', () => {
    const { inner, transport } = openFlowing()
    transport.write(call('a'))
    transport.write(call('bc', 2))
    transport.accepts({ type: 8, sequenceId: 2 })
    inner.hangUp(true)
    const next = new FakeTransport()
    transport.resumeOn(next)
    expect(next.text).toBe(`${sequence(2)}bc`)
  })

  it('is an end after the disconnect timeout (R3)', () => {
    const { inner, transport, clock, told } = openFlowing()
    inner.hangUp(true)
    clock.advance(14_999)
    expect(told).toEqual([])
    clock.advance(1)
    expect([told, transport.canResume]).toEqual([['close true'], false])
  })

  it('is an end at once where the client said so, and where nothing was agreed on', () => {
    const left = openFlowing()
    left.inner.hangUp(false)
    expect(left.told).toEqual(['close false'])
    const inner = new FakeTransport()
    const transport = new ResumableTransport(inner, { clock: new FakeClock(), limits: resolveLimits({}) })
    const told: boolean[] = []
    transport.listen({ onData() {}, onDrain() {}, onClose: (isLost) => told.push(isLost) })
    inner.hangUp(true)
    expect([told, transport.canResume]).toEqual([[true], false])
  })

  it('keeps nothing waiting: who writes past the bound ends it, and not in the middle of that', async () => {
    const { inner, transport, clock, told } = openFlowing()
    inner.hangUp(true)
    for (let i = 0; i < 20; i++) transport.write(call('x'.repeat(100)))
    expect(told).toEqual([])
    expect(transport.canResume).toBe(false)
    await clock.settle()
    expect(told).toEqual(['close true'])
  })

  it('tells those who can wait that it is full, so that the log holds what comes', () => {
    const { inner, transport } = openFlowing()
    expect(transport.outstandingBytes).toBe(0)
    inner.hangUp(true)
    expect(transport.outstandingBytes).toBe(resolveLimits({}).highWaterMarkBytes)
    expect(transport.bufferedBytes).toBe(transport.outstandingBytes)
  })
})

describe('a socket that is half open', () => {
  it('gives way to a new one at once, and is heard no more (0.3)', () => {
    const { inner, transport, told } = openFlowing()
    transport.write(call('a'))
    expect(transport.canResume).toBe(true)
    const next = new FakeTransport()
    transport.resumeOn(next)
    expect([inner.isGone, next.text]).toEqual([true, `${sequence(1)}a`])
    inner.send('late')
    expect(told).toEqual(['drain'])
    next.send(sequence(1))
    expect(told).toEqual(['drain', `data ${sequence(1)}`])
  })

  it('keeps its format and its pause', () => {
    const { transport } = openFlowing()
    transport.pause()
    const next = new FakeTransport()
    next.format = 'Binary'
    transport.resumeOn(next)
    expect([next.format, next.isPaused]).toEqual(['Text', true])
    transport.resume()
    expect(next.isPaused).toBe(false)
  })
})

describe('acknowledgements', () => {
  it('are sent with the beat, when there is something to acknowledge', () => {
    const { inner, transport } = openFlowing()
    transport.tick()
    expect(inner.text).toBe('')
    expect(transport.accepts({ type: 1, target: 'A', arguments: [] })).toBe(true)
    expect(transport.accepts({ type: 6 })).toBe(true)
    transport.tick()
    transport.tick()
    expect(inner.text).toBe(ack(1))
  })

  it('that never come make nobody wait but the log; then a client can’t resume, until it has acknowledged', () => {
    const { inner, transport, told } = openFlowing()
    for (let i = 0; i < 20; i++) transport.write(call('x'.repeat(100)))
    expect(inner.text).toHaveLength(2000)
    expect([transport.canResume, transport.bufferedBytes, transport.outstandingBytes > 0]).toEqual([false, 0, true])
    transport.accepts({ type: 8, sequenceId: 20 })
    expect([transport.canResume, transport.outstandingBytes, told]).toEqual([true, 0, ['drain']])
  })

  it.each([-1, 0, 99, Number.MAX_SAFE_INTEGER])('of %d say no more than is so', (sequenceId) => {
    const { inner, transport } = openFlowing()
    transport.write(call('a'))
    expect(transport.accepts({ type: 8, sequenceId })).toBe(false)
    transport.write(call('b'))
    inner.hangUp(true)
    const next = new FakeTransport()
    transport.resumeOn(next)
    expect(next.text).toBe(sequenceId < 1 ? `${sequence(1)}ab` : `${sequence(2)}b`)
  })
})

describe('what the client says again', () => {
  const say = (transport: ResumableTransport, target: string): boolean =>
    transport.accepts({ type: 1, target, arguments: [] })

  it('is taken once, and acknowledged again', () => {
    const { inner, transport } = openFlowing()
    expect([say(transport, 'a'), say(transport, 'b')]).toEqual([true, true])
    transport.tick()
    inner.hangUp(true)
    const next = new FakeTransport()
    transport.resumeOn(next)
    expect([say(transport, 'lost'), transport.accepts({ type: 6 })]).toEqual([false, false])
    expect(transport.accepts({ type: 9, sequenceId: 2 })).toBe(false)
    expect([say(transport, 'b'), say(transport, 'c')]).toEqual([false, true])
    transport.tick()
    expect(next.text).toBe(sequence(1) + ack(3))
  })

  it('from further than it ever was is refused in .NET’s words (R2)', () => {
    const { transport } = openFlowing()
    say(transport, 'a')
    expect(() => transport.accepts({ type: 9, sequenceId: 3 })).toThrow(
      "Sequence ID greater than amount of messages we've received.",
    )
    expect(() => transport.accepts({ type: 9, sequenceId: 0 })).toThrow('begins with 1')
    expect(() => transport.accepts({ type: 9, sequenceId: -5 })).toThrow('begins with 1')
  })
})
