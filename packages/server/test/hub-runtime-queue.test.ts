import { describe, expect, it } from 'vitest'
import { defineHub } from '../src/hub/hub-definition.ts'
import { openRuntime, type RuntimeOptions, settle } from './hub-runtime-scene.ts'

interface Work {
  server: {
    Do(name: string): string
    Ask(): string
    Blob(size: number): string
    Ticks(): AsyncIterable<number>
  }
  client: { Name(): string }
}

/** A hub whose method `Do` is over when the test says so. */
function openWork(options: RuntimeOptions = {}) {
  const started: string[] = []
  const finish = new Map<string, () => void>()
  const hub = defineHub<Work>({
    methods: {
      Do(_, name) {
        started.push(name)
        return new Promise((resolve) => finish.set(name, () => resolve(name)))
      },
      Ask: ({ caller }) => caller.invoke('Name'),
      Blob: (_, size) => 'x'.repeat(size),
      async *Ticks() {
        yield 1
      },
    },
  })
  const scene = openRuntime(hub, options)
  return {
    ...scene,
    started,
    async finish(name: string) {
      finish.get(name)?.()
      await settle(scene.clock)
    },
  }
}

const call = (id: string, target = 'Do', args: readonly unknown[] = [id]) => ({
  type: 1,
  invocationId: id,
  target,
  arguments: args,
})
const result = (id: string) => `{"type":3,"invocationId":"${id}","result":"${id}"}`

describe('the calls of one client', () => {
  it('run one after another', async () => {
    const { connect, started, finish } = openWork()
    const client = connect('a')
    await client.say(call('1'), call('2'), call('3'))
    expect(started).toEqual(['1'])
    await finish('1')
    expect([started, client.records]).toEqual([['1', '2'], [result('1')]])
    await finish('2')
    await finish('3')
    expect(client.records).toEqual([result('1'), result('2'), result('3')])
  })

  it('run as many at a time as the hub allows, and are answered as they end', async () => {
    const { connect, started, finish } = openWork({ limits: { parallelInvocationsMax: 2 } })
    const client = connect('a')
    await client.say(call('1'), call('2'), call('3'))
    expect(started).toEqual(['1', '2'])
    await finish('2')
    expect([started, client.records]).toEqual([['1', '2', '3'], [result('2')]])
  })

  it('hold up neither streams nor other clients', async () => {
    const { connect } = openWork()
    const client = connect('a')
    await client.say(call('1'), { type: 4, invocationId: '2', target: 'Ticks', arguments: [] })
    expect(client.records).toEqual(['{"type":2,"invocationId":"2","item":1}', '{"type":3,"invocationId":"2"}'])
    expect(await connect('b').call('Blob', 1)).toHaveLength(1)
  })

  it('that end at once may be very many', async () => {
    const { connect, finish } = openWork({
      limits: { waitingInvocationsHigh: 10_000, waitingInvocationsMax: 10_000 },
    })
    const client = connect('a')
    const calls = Array.from({ length: 2000 }, (_, index) => call(String(index), 'Blob', [1]))
    await client.say(call('first'), ...calls.slice(0, 1000))
    await client.say(...calls.slice(1000))
    expect(client.records).toHaveLength(0)
    await finish('first')
    expect(client.records).toHaveLength(2001)
  })

  it('that wait are many: the client is not read on until they are fewer', async () => {
    const { connect, finish } = openWork({ limits: { waitingInvocationsHigh: 2 } })
    const client = connect('a')
    await client.say(call('1'), call('2'))
    expect(client.transport.isPaused).toBe(false)
    await client.say(call('3'))
    expect(client.transport.isPaused).toBe(true)
    await finish('1')
    expect(client.transport.isPaused).toBe(false)
  })

  it('that wait are too many: the rest is answered so', async () => {
    const { connect, started } = openWork({ limits: { waitingInvocationsMax: 2 } })
    const client = connect('a')
    await client.say(...['1', '2', '3', '4', '5'].map((id) => call(id)))
    expect(client.records).toEqual(
      ['4', '5'].map(
        (id) =>
          `{"type":3,"invocationId":"${id}","error":"An unexpected error occurred invoking 'Do' on the server. HubException: 2 invocations of the client wait already."}`,
      ),
    )
    expect(started).toEqual(['1'])
  })

  it('that wait do not keep a result from being read that is awaited of the client', async () => {
    const { connect, clock } = openWork({ limits: { waitingInvocationsHigh: 1 } })
    const client = connect('a')
    await client.say(call('1', 'Ask', []), call('2', 'Blob', [1]))
    expect(client.transport.isPaused).toBe(false)
    await client.say({ type: 3, invocationId: 's1', result: 'Ada' })
    await settle(clock)
    expect(client.records.slice(1)).toEqual([
      '{"type":3,"invocationId":"1","result":"Ada"}',
      '{"type":3,"invocationId":"2","result":"x"}',
    ])
  })

  it('wait while the client does not take its answers', async () => {
    const { connect } = openWork({ limits: { highWaterMarkBytes: 4096 } })
    const client = connect('a')
    client.transport.isTaking = false
    await client.say(call('1'), call('2', 'Blob', [5000]), call('3', 'Blob', [5000]), call('4', 'Blob', [5000]))
    expect(client.transport.pipe).toHaveLength(0)
  })

  it('keep a silent client from timing out while they run (2.10 C1)', async () => {
    const { connect, clock, finish } = openWork()
    const client = connect('a')
    await client.say({ type: 6 }, call('1'))
    clock.advance(100_000)
    client.connection.tick(clock.now())
    expect(client.connection.state).toBe('open')
    await finish('1')
    // From here on it has as long as ever.
    clock.advance(29_000)
    client.connection.tick(clock.now())
    expect(client.connection.state).toBe('open')
    clock.advance(1000)
    client.connection.tick(clock.now())
    expect(client.connection.state).toBe('closing')
  })

  it('end with the connection: those that wait are not run', async () => {
    const { connect, started, finish } = openWork()
    const client = connect('a')
    await client.say(call('1'), call('2'))
    client.transport.hangUp()
    await finish('1')
    expect(started).toEqual(['1'])
    expect(client.records).toEqual([])
  })
})
