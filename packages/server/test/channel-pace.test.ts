import { describe, expect, it } from 'vitest'
import type { Post } from '../src/channel/intake.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { openScene, range } from './channel-scene.ts'
import { FakeClock } from './fake-clock.ts'

const PACE_MS = 10_000

async function openPaced(limits: Parameters<typeof openScene>[0] = {}, position?: string) {
  const scene = await openScene(limits)
  const client = scene.connect('a', position === undefined ? {} : { position })
  scene.channel.tellEvery('a', PACE_MS)
  const save = async (body: unknown, key = 'order:42'): Promise<void> => {
    await scene.channel.post([{ sender: 'Saved', key, body }])
    await scene.clock.settle()
  }
  const pass = async (ms: number): Promise<void> => {
    scene.clock.advance(ms)
    await scene.clock.settle()
  }
  return { ...scene, client, save, pass }
}

describe('a connection that is told every ten seconds', () => {
  it('gets the first message at once, and after the interval the newest of each key, with all that have none', async () => {
    const { client, save, post, clock, pass } = await openPaced()
    await save(1)
    for (const body of range(2, 50)) await save(body)
    await save('b', 'order:43')
    await post('plain')
    await clock.settle()
    expect(client.outlet.bodies).toEqual([1])
    await pass(PACE_MS - 1)
    expect(client.outlet.bodies).toEqual([1])
    await pass(1)
    expect(client.outlet.bodies).toEqual([1, 50, 'b', 'plain'])
  })

  it('gets what is alone at once, and costs no timer while nothing comes', async () => {
    const { client, save, clock, pass } = await openPaced()
    await save(1)
    expect(clock.timerCount).toBe(0)
    await pass(PACE_MS)
    await save(2)
    expect(client.outlet.bodies).toEqual([1, 2])
  })

  it('gets what was held back at once when it is looked at again, and everything from then on', async () => {
    const { client, save, channel, clock } = await openPaced()
    for (const body of range(1, 5)) await save(body)
    channel.tellEvery('a', 0)
    await clock.settle()
    expect(client.outlet.bodies).toEqual([1, 5])
    for (const body of range(6, 8)) await save(body)
    expect(client.outlet.bodies).toEqual([1, 5, 6, 7, 8])
    expect(clock.timerCount).toBe(0)
  })

  it('gets what was held back before the server ends it', async () => {
    const { client, save } = await openPaced()
    for (const body of range(1, 5)) await save(body)
    client.connection.flush()
    expect(client.outlet.bodies).toEqual([1, 5])
  })

  it('makes no other one wait', async () => {
    const { save, connect } = await openPaced()
    const other = connect('b')
    for (const body of range(1, 3)) await save(body)
    expect(other.outlet.bodies).toEqual([1, 2, 3])
  })

  it('is not told a position that it has not reached', async () => {
    const { client, save, pass } = await openPaced({}, '')
    for (const body of range(1, 3)) await save(body)
    expect(client.connection.tellPosition()).toBe(false)
    await pass(PACE_MS)
    expect(client.outlet.bodies).toEqual([1, 3])
  })

  it('reads what the tail has lost of the store, and waits no longer then', async () => {
    const { client, save } = await openPaced({ tailCountMax: 4 })
    for (const body of range(1, 9)) await save(body, `order:${body}`)
    expect(client.outlet.bodies.length).toBeGreaterThan(4)
    const got = client.outlet.bodies
    expect(got).toEqual(range(1, got.length))
  })

  it.each<[string, (turn: number) => Post]>([
    ['for it, without keys', (turn) => ({ sender: 'Test', body: turn })],
    ['for it, of many keys', (turn) => ({ sender: 'Saved', key: `order:${turn}`, body: turn })],
    ['for others', (turn) => ({ sender: 'Test', body: turn, to: { users: ['bob'] } })],
  ])('loses nothing where the history is no longer than the tail: by messages %s', async (_name, draw) => {
    const clock = new FakeClock()
    const bounds = { historyCountMax: 100, historyBytesMax: 1e9, historyAgeMaxMs: 1e9 }
    const store = new MemoryStore({ epoch: 'e', ...bounds, now: () => clock.now() })
    const { channel, connect } = await openScene({ tailCountMax: 100 }, store, clock)
    const client = connect('a', { user: 'ann', position: '' })
    channel.tellEvery('a', PACE_MS)
    await channel.post([{ sender: 'Saved', key: 'order', body: 'first' }])
    await clock.settle()
    await channel.post([{ sender: 'Saved', key: 'order', body: 'newest' }])
    await clock.settle()
    expect(client.outlet.bodies).toEqual(['first'])
    for (const turn of range(1, 1000)) {
      await channel.post([draw(turn)])
      await clock.settle()
    }
    clock.advance(PACE_MS)
    await clock.settle()
    expect(client.outlet.states.filter(({ recovered }) => recovered === false)).toEqual([])
    const isForOthers = draw(1).to !== undefined
    expect(client.outlet.bodies).toEqual(['first', 'newest', ...(isForOthers ? [] : range(1, 1000))])
    expect(clock.timerCount).toBe(0)
  })

  it('leaves no timer behind', async () => {
    const { client, save, clock } = await openPaced()
    for (const body of range(1, 3)) await save(body)
    expect(clock.timerCount).toBe(1)
    client.leave()
    expect(clock.timerCount).toBe(0)
  })

  it('is unknown to the channel where it is no connection', async () => {
    const { channel } = await openPaced()
    expect(channel.tellEvery('b', PACE_MS)).toBe(false)
  })
})
