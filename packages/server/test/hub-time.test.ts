import { describe, expect, it } from 'vitest'
import type { FakeClock } from './fake-clock.ts'
import { type HubClient, openHub, PING } from './hub-scene.ts'

const KEEP_ALIVE_MS = 15_000
const CLIENT_TIMEOUT_MS = 30_000

/** Lets time pass with the heartbeat's tick in each second of it, as the roster does. */
function pass(clock: FakeClock, { hub }: HubClient, ms: number): void {
  for (let passed = 0; passed < ms; passed += 1000) {
    clock.advance(Math.min(1000, ms - passed))
    hub.tick(clock.now())
  }
}

describe('keep-alive', () => {
  it('pings when nothing was sent for the interval, and not before', async () => {
    const { clock, connect } = await openHub()
    const client = connect('a')
    pass(clock, client, KEEP_ALIVE_MS - 1)
    expect(client.transport.records).toEqual(['{}'])
    pass(clock, client, 1)
    expect(client.transport.records).toEqual(['{}', '{"type":6}'])
    pass(clock, client, KEEP_ALIVE_MS * 3)
    expect(client.transport.records).toHaveLength(5)
  })

  it('is put off by any message', async () => {
    const { clock, connect, post } = await openHub()
    const client = connect('a')
    for (let round = 0; round < 5; round++) {
      pass(clock, client, KEEP_ALIVE_MS - 1000)
      await post(round)
      await clock.settle()
    }
    expect(client.transport.records.filter((record) => record === '{"type":6}')).toEqual([])
  })

  it('tells a client that keeps its position where the log is, and pings where there is nothing new', async () => {
    const { channel, clock, connect } = await openHub()
    const client = connect('a', { position: '', identity: { user: 'u' } })
    await channel.post([{ sender: 'S', to: { users: 'other' } }])
    await clock.settle()
    pass(clock, client, KEEP_ALIVE_MS)
    expect(client.transport.records.at(-1)).toBe(
      '{"type":1,"target":"ChannelState","arguments":[{"epoch":"epoch-1","offset":1}]}',
    )
    pass(clock, client, KEEP_ALIVE_MS)
    expect(client.transport.records.at(-1)).toBe('{"type":6}')
  })
})

describe('the client timeout', () => {
  it('does not begin before the first ping of the client', async () => {
    const { clock, connect } = await openHub()
    const client = connect('a')
    client.transport.send('{"type":1,"target":"X","arguments":[]}\x1e')
    pass(clock, client, CLIENT_TIMEOUT_MS * 10)
    expect(client.hub.state).toBe('open')
  })

  it('closes a client that has pinged and then is silent, so that it may come back', async () => {
    const { clock, connect } = await openHub()
    const client = connect('a')
    client.transport.send(PING)
    pass(clock, client, CLIENT_TIMEOUT_MS - 1)
    expect(client.hub.state).toBe('open')
    pass(clock, client, 1)
    expect(client.transport.records.at(-1)).toBe(
      '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}',
    )
    expect(client.transport.closedWith).toBe(1000)
    expect(client.ends).toMatchObject([{ code: 'client_timeout' }])
  })

  it('is put off by any message of the client', async () => {
    const { clock, connect } = await openHub()
    const client = connect('a')
    client.transport.send(PING)
    for (let round = 0; round < 5; round++) {
      pass(clock, client, CLIENT_TIMEOUT_MS - 1000)
      client.transport.send('{"type":1,"target":"X","arguments":[]}\x1e')
    }
    expect(client.hub.state).toBe('open')
  })
})

describe('an identity that ends', () => {
  it('ends the connection at the next beat, so that the client may come back with a new token', async () => {
    const { clock, connect } = await openHub()
    const client = connect('a', { identity: { user: 'u', expiresAt: clock.now() + 5000 } })
    pass(clock, client, 4999)
    expect(client.hub.state).toBe('open')
    pass(clock, client, 1)
    expect(JSON.parse(client.transport.records.at(-1) ?? '')).toEqual({
      type: 7,
      error: 'authentication_expired: Authentication expired; connect again with a new token.',
      allowReconnect: true,
    })
    expect(client.ends).toMatchObject([{ code: 'authentication_expired' }])
  })
})

describe('a reader that takes nothing', () => {
  it('is closed after 30 s, so that it may come back', async () => {
    const { clock, connect, post } = await openHub()
    const client = connect('a')
    client.transport.isTaking = false
    await post(1)
    await clock.settle()
    pass(clock, client, 29_999)
    expect(client.hub.state).toBe('open')
    pass(clock, client, 1001)
    expect(client.ends).toMatchObject([{ code: 'reader_stalled', retry: true }])
    client.transport.take()
    expect(client.transport.records.at(-1)).toContain('"error":"reader_stalled: ')
    expect(client.transport.closedWith).toBe(1000)
  })

  it('is not one that takes a little now and then', async () => {
    const { clock, connect, post } = await openHub()
    const client = connect('a')
    client.transport.isTaking = false
    for (let number = 0; number < 10; number++) {
      await post(number)
      await clock.settle()
    }
    for (let round = 0; round < 8; round++) {
      pass(clock, client, 20_000)
      client.transport.take(1)
    }
    expect(client.hub.state).toBe('open')
  })

  it('is not one that had nothing to take for long', async () => {
    const { clock, connect, post } = await openHub({ keepAliveIntervalMs: 3_600_000 })
    const client = connect('a')
    pass(clock, client, 300_000)
    client.transport.isTaking = false
    await post(1)
    await clock.settle()
    pass(clock, client, 20_000)
    expect(client.hub.state).toBe('open')
  })
})
