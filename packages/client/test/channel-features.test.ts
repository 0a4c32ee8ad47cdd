// Contracts, once, EventTarget, disposal, lag, and what development says.
import { defineMessages, type MessageContract } from '@serverchannel/protocol'
import { beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { development } from '../src/development.ts'
import { connect } from '../src/index.ts'
import { settle } from './fake-clock.ts'
import { World } from './harness.ts'
import { channelState, PING, serverMessage } from './wire.ts'

type Standard = MessageContract[string]['~standard']

/** A Standard Schema by hand, as libraries make them. */
function schema<Input>(
  isValid: (value: unknown) => boolean,
  place: string,
): { readonly '~standard': Standard & { readonly types?: { readonly input: Input; readonly output: Input } } } {
  const validate: Standard['validate'] = (value) =>
    isValid(value) ? { value } : { issues: [{ message: 'is none', path: [place] }] }
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

const messages = defineMessages({
  OrderChanged: schema<{ id: number }>((value) => typeof (value as { id?: unknown }).id === 'number', 'id'),
  Note: schema<string>((value) => typeof value === 'string', ''),
})

let world: World

beforeEach(() => {
  world = new World()
})

const receive = (sender: string, body: unknown, offset: number): void =>
  world.network.socket.receive(serverMessage(sender, body, `e:${offset}`))

describe('a contract', () => {
  it('types handlers, loops and waiting', () => {
    const channel = connect<typeof messages>('http://host.test/msg', world.options)
    channel.on('OrderChanged', (body, message) => {
      expectTypeOf(body).toEqualTypeOf<{ id: number }>()
      expectTypeOf(message.Body).toEqualTypeOf<{ id: number }>()
    })
    channel.on('Other', (body) => expectTypeOf(body).toEqualTypeOf<unknown>())
    channel.on('Another', (body: { name: string }) => body.name)
    // @ts-expect-error the contract says otherwise
    channel.on('OrderChanged', (body: { id: string }) => body.id)
    expectTypeOf(channel.messages('Note')).toEqualTypeOf<
      AsyncIterableIterator<import('../src/index.ts').Message<string>>
    >()
    const once = (): ReturnType<typeof channel.once<'Note'>> => channel.once('Note')
    expectTypeOf(once).returns.resolves.toHaveProperty('Body').toEqualTypeOf<string>()
    void channel.close()
  })

  it('is kept to in development, and never changes what handlers get', async () => {
    const warned: string[] = []
    const looking = development({ warn: (text) => warned.push(text) })
    const channel = await world.opened({ messages, development: looking })
    const got: unknown[] = []
    channel.on('OrderChanged', (body) => got.push(body))
    receive('OrderChanged', { id: 1 }, 1)
    receive('OrderChanged', { id: 'x' }, 2)
    receive('Other', 1, 3)
    expect(got).toEqual([{ id: 1 }, { id: 'x' }])
    expect(warned).toHaveLength(1)
    expect(warned[0]).toMatch(/'OrderChanged' is not what its contract says: id: .*\n {2}message id-e:2/)
  })
})

describe('once', () => {
  it('waits for one message', async () => {
    const channel = await world.opened()
    const waiting = channel.once('A')
    receive('B', 0, 1)
    receive('A', 1, 2)
    receive('A', 2, 3)
    expect((await waiting).Body).toBe(1)
  })

  it('ends with its signal, and with the channel', async () => {
    const channel = await world.opened()
    const stopping = new AbortController()
    const stopped = channel.once('A', { signal: stopping.signal })
    stopping.abort(new Error('enough'))
    await expect(stopped).rejects.toThrow('enough')
    const waiting = Promise.allSettled([channel.once('A')])
    await channel.close()
    expect(await waiting).toMatchObject([{ status: 'rejected', reason: { code: 'channel_closed' } }])
  })

  it('is also an option of handlers', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    channel.on('A', (body) => got.push(body), { once: true })
    receive('A', 1, 1)
    receive('A', 2, 2)
    expect(got).toEqual([1])
  })
})

describe('as an EventTarget', () => {
  it('dispatches messages, states, gaps and errors', async () => {
    const channel = await world.opened()
    const told: unknown[] = []
    channel.addEventListener('message', ({ data, lastEventId, message }) =>
      told.push([data, lastEventId, message.Header.Sender]),
    )
    channel.addEventListener('statechange', ({ state, previous }) => told.push([state, previous]))
    channel.addEventListener('gap', ({ reason }) => told.push(reason))
    channel.addEventListener('error', { handleEvent: ({ error }) => told.push(error.code) })
    const off = vi.fn<() => void>()
    channel.addEventListener('message', off)
    channel.removeEventListener('message', off)
    channel.addEventListener('message', () => told.push('once'), { once: true })
    receive('A', { n: 1 }, 1)
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.shakeHands(channelState('f', 0, { recovered: false, reason: 'epoch-changed' }))
    expect(off).not.toHaveBeenCalled()
    expect(told).toEqual([
      [{ n: 1 }, 'e:1', 'A'],
      'once',
      ['reconnecting', 'open'],
      'connection_lost',
      'epoch-changed',
      ['open', 'reconnecting'],
    ])
  })
})

describe('disposal', () => {
  it('takes handlers off, and closes the channel', async () => {
    const channel = await world.opened()
    const got: unknown[] = []
    const off = channel.on('A', (body) => got.push(body))
    off[Symbol.dispose]()
    receive('A', 1, 1)
    expect(got).toEqual([])
    channel[Symbol.dispose]()
    expect(channel.state).toBe('closed')
  })
})

describe('the lag', () => {
  it('is how long nothing was heard of the server, and what loops have not taken', async () => {
    const channel = await world.connecting()
    expect(channel.lag).toEqual({ messages: 0, ms: Infinity })
    world.network.socket.shakeHands(channelState('e', 0))
    const loop = channel.messages('A')
    for (let n = 1; n <= 3; n++) receive('A', n, n)
    await loop.next()
    await world.clock.pass(7_000)
    expect(channel.lag).toEqual({ messages: 2, ms: 7_000 })
    world.network.socket.receive(PING)
    expect(channel.lag.ms).toBe(0)
    world.network.socket.drop()
    await world.clock.pass(60_000)
    expect(channel.lag.ms).toBe(60_000)
  })
})

describe('in development', () => {
  const warned: string[] = []

  beforeEach(() => {
    warned.length = 0
  })

  async function watched() {
    return world.opened({ development: development({ warn: (text) => warned.push(text), samePlaceMax: 3 }) })
  }

  it('a handler that was added twice is warned of, with both places', async () => {
    const channel = await watched()
    const handler = (): void => {}
    channel.on('A', handler)
    channel.on('B', handler)
    expect(warned).toEqual([])
    channel.on('A', handler)
    expect(warned).toHaveLength(1)
    const places = [...(warned[0] ?? '').matchAll(/channel-features\.test\.ts:(\d+)/g)].map(([, line]) => Number(line))
    expect(places).toHaveLength(2)
    expect((places[1] ?? 0) - (places[0] ?? 0)).toBe(3)
  })

  it('one that was taken off before is not', async () => {
    const channel = await watched()
    const handler = (): void => {}
    const stopping = new AbortController()
    channel.on('A', handler)()
    channel.on('A', handler, { signal: stopping.signal })
    stopping.abort()
    channel.on('A', handler)
    channel.onMessage(handler)
    expect(warned).toEqual([])
  })

  it('handlers that pile up at one place are', async () => {
    const channel = await watched()
    for (let n = 0; n < 5; n++) channel.on('A', () => n)
    expect(warned).toHaveLength(1)
    expect(warned[0]).toMatch(/3 times at one place.*\n.*channel-features\.test\.ts/s)
  })

  it('one whose element has left the document is, once, with the next message', async () => {
    const channel = await watched()
    const element = { isConnected: true }
    channel.on('A', () => {}, { element: element as Element })
    receive('A', 1, 1)
    element.isConnected = false
    receive('B', 1, 2)
    expect(warned).toEqual([])
    receive('A', 1, 3)
    receive('A', 1, 4)
    expect(warned).toHaveLength(1)
    expect(warned[0]).toMatch(/its element has left the document/)
  })

  it('one that never runs is', async () => {
    const channel = await watched()
    channel.on('A', () => {}, { signal: AbortSignal.abort() })
    expect(warned[0]).toMatch(/never runs/)
  })

  it('handlers get what they get without it, and are taken off', async () => {
    const channel = await watched()
    const got: unknown[] = []
    const off = channel.on('A', (body) => got.push(body))
    receive('A', 1, 1)
    off()
    receive('A', 2, 2)
    await settle()
    expect(got).toEqual([1])
  })
})
