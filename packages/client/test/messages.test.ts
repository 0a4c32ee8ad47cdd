import { beforeEach, describe, expect, it } from 'vitest'
import type { Message } from '../src/index.ts'
import { settle } from './fake-clock.ts'
import { World } from './harness.ts'
import { CLOSE, channelState, serverMessage } from './wire.ts'

let world: World

beforeEach(() => {
  world = new World()
})

function receive(...bodies: readonly number[]): void {
  for (const body of bodies) world.network.socket.receive(serverMessage(body % 2 ? 'Odd' : 'Even', body, `e:${body}`))
}

const body = (result: IteratorResult<Message>): unknown => (result.done ? 'done' : result.value.Body)

describe('a loop over messages', () => {
  it('gets those of its sender, also those that came before it asked', async () => {
    const channel = await world.opened()
    const messages = channel.messages('Odd')
    receive(1, 2, 3)
    const got: unknown[] = []
    for await (const message of messages) {
      got.push(message.Body)
      if (got.length === 2) receive(4, 5)
      if (got.length === 3) break
    }
    expect(got).toEqual([1, 3, 5])
  })

  it('gets those of all senders where it names none', async () => {
    const channel = await world.opened()
    const messages = channel.messages()
    receive(1, 2)
    expect([body(await messages.next()), body(await messages.next())]).toEqual([1, 2])
  })

  it('may ask for several before they come', async () => {
    const channel = await world.opened()
    const messages = channel.messages()
    const asked = Promise.all([messages.next(), messages.next(), messages.next()])
    receive(1, 2, 3)
    expect((await asked).map(body)).toEqual([1, 2, 3])
  })

  it('goes on over lost connections', async () => {
    const channel = await world.opened()
    const messages = channel.messages()
    receive(1)
    world.network.socket.drop()
    await world.untilNextSocket()
    world.network.socket.shakeHands(
      serverMessage('Odd', 1, 'e:1') + serverMessage('Even', 2, 'e:2') + channelState('e', 2, { recovered: true }),
    )
    expect([body(await messages.next()), body(await messages.next())]).toEqual([1, 2])
  })

  it('takes nothing more after a break', async () => {
    const channel = await world.opened()
    const messages = channel.messages()
    receive(1)
    for await (const message of messages) {
      expect(message.Body).toBe(1)
      break
    }
    receive(2)
    expect(body(await messages.next())).toBe('done')
  })

  it('ends when its signal is aborted, with what it holds let go', async () => {
    const channel = await world.opened()
    const stopping = new AbortController()
    const messages = channel.messages('Odd', { signal: stopping.signal })
    receive(1)
    stopping.abort()
    expect(body(await messages.next())).toBe('done')
    const waiting = new AbortController()
    const asked = channel.messages('Odd', { signal: waiting.signal }).next()
    waiting.abort()
    expect(body(await asked)).toBe('done')
    expect(body(await channel.messages('Odd', { signal: AbortSignal.abort() }).next())).toBe('done')
  })

  it('that falls behind by more than its ceiling gets what is held, then an error, then nothing', async () => {
    const channel = await world.opened()
    const messages = channel.messages(undefined, { max: 3 })
    receive(1, 2, 3, 4, 5)
    expect([body(await messages.next()), body(await messages.next()), body(await messages.next())]).toEqual([1, 2, 3])
    await expect(messages.next()).rejects.toMatchObject({ name: 'ChannelError', code: 'buffer_overflow' })
    expect(body(await messages.next())).toBe('done')
  })

  it('holds 10,000 where nothing else is said, and at its ceiling nothing is lost', async () => {
    const channel = await world.opened()
    const messages = channel.messages()
    receive(...Array.from({ length: 10_000 }, (_, n) => n + 1))
    for (let n = 1; n <= 10_000; n++) {
      const { value } = await messages.next()
      if (value?.Body !== n) expect(value?.Body).toBe(n)
    }
    receive(...Array.from({ length: 10_001 }, (_, n) => n + 10_001))
    for (let n = 1; n <= 10_000; n++) await messages.next()
    await expect(messages.next()).rejects.toMatchObject({ code: 'buffer_overflow' })
  })

  it('does not hinder others when it falls behind', async () => {
    const channel = await world.opened()
    const slow = channel.messages(undefined, { max: 1 })
    const got: unknown[] = []
    channel.onMessage(({ Body }) => got.push(Body))
    receive(1, 2, 3)
    expect(got).toEqual([1, 2, 3])
    expect(body(await slow.next())).toBe(1)
    expect(channel.state).toBe('open')
  })

  it('ends when the channel is closed, after what it holds', async () => {
    const channel = await world.opened()
    const messages = channel.messages()
    const waiting = channel.messages('Nobody').next()
    receive(1)
    await channel.close()
    expect(body(await waiting)).toBe('done')
    expect([body(await messages.next()), body(await messages.next())]).toEqual([1, 'done'])
    expect(body(await channel.messages().next())).toBe('done')
  })

  it('throws when the server closes the channel, after what it holds', async () => {
    const channel = await world.opened()
    channel.onError(() => {})
    const messages = channel.messages()
    const waiting = channel.messages('Nobody').next()
    const settled = Promise.allSettled([waiting])
    receive(1)
    world.network.socket.receive(CLOSE)
    expect(await settled).toMatchObject([{ status: 'rejected', reason: { code: 'closed_by_server' } }])
    expect(body(await messages.next())).toBe(1)
    await expect(messages.next()).rejects.toMatchObject({ code: 'closed_by_server' })
    await settle()
  })
})
