import { describe, expect, it } from 'vitest'
import { defineHub } from '../src/hub/hub-definition.ts'
import { createConformanceHub } from './conformance-hub.ts'
import { openRuntime, type RuntimeOptions, settle } from './hub-runtime-scene.ts'

interface Streams {
  server: {
    Count(to: number): AsyncIterable<number>
    Large(): AsyncIterable<string>
    Stuck(): AsyncIterable<number>
    List(): AsyncIterable<number>
    NoStream(): AsyncIterable<number>
    Signalled(): AsyncIterable<number>
    Odd(): AsyncIterable<bigint>
  }
  client: object
}

function openStreams(options: RuntimeOptions = {}) {
  /** What the streams did. */
  const log: string[] = []
  const hub = defineHub<Streams>({
    methods: {
      async *Count(_, to) {
        try {
          for (let number = 1; number <= to; number++) {
            log.push(`count ${number}`)
            yield number
          }
        } finally {
          log.push('count left')
        }
      },
      async *Large() {
        for (let number = 1; ; number++) {
          log.push(`large ${number}`)
          yield 'x'.repeat(3000)
        }
      },
      async *Stuck() {
        yield 1
        await new Promise(() => {})
      },
      List: { streams: true, run: () => Promise.resolve([1, 2]) },
      NoStream: { streams: true, run: () => 42 as never },
      async *Signalled({ signal }) {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
        yield 1
      },
      async *Odd() {
        try {
          yield 1n
        } finally {
          log.push('odd left')
        }
      },
    },
  })
  return { ...openRuntime(hub, options), log }
}

const stream = (target: string, args: readonly unknown[] = [], invocationId = '1') => ({
  type: 4,
  invocationId,
  target,
  arguments: args,
})
const item = (value: unknown) => JSON.stringify({ type: 2, invocationId: '1', item: value })
const cancel = { type: 5, invocationId: '1' }
const END = '{"type":3,"invocationId":"1"}'
const failed = (error: string) => JSON.stringify({ type: 3, invocationId: '1', error })

describe('a stream to the client (T1)', () => {
  it.each([
    ['brings its items and its end', 'Stream', [], [item('a'), item('b'), item('c'), END]],
    ['may be empty', 'EmptyStream', [], [END]],
    [
      'may fail in the middle',
      'StreamFailMid',
      [],
      [item('a'), failed('An error occurred on the server while streaming results.')],
    ],
    [
      'may fail before it begins',
      'StreamThrowException',
      ['x'],
      [failed("An unexpected error occurred invoking 'StreamThrowException' on the server.")],
    ],
  ])('%s', async (_, target, args, expected) => {
    const { connect } = openRuntime(createConformanceHub())
    const client = connect('a')
    await client.say(stream(target, args))
    expect(client.records).toEqual(expected)
  })

  it('may be any iterable that a method gives which says so', async () => {
    const { connect } = openStreams()
    const client = connect('a')
    await client.say(stream('List'))
    expect(client.records).toEqual([item(1), item(2), END])
  })

  it('that is none is said so', async () => {
    const { connect } = openStreams()
    const client = connect('a')
    await client.say(stream('NoStream'))
    expect(client.records).toEqual([
      failed("The value returned by the streaming method 'NoStream' is not a ChannelReader<> or IAsyncEnumerable<>."),
    ])
  })

  it('ends with its error, and cleans up, where an item can not be encoded', async () => {
    const { connect, log } = openStreams()
    const client = connect('a')
    await client.say(stream('Odd'))
    expect(client.records).toEqual([failed('An error occurred on the server while streaming results.')])
    expect(log).toEqual(['odd left'])
  })

  it('has an id of its own', async () => {
    const { connect } = openRuntime(createConformanceHub())
    const client = connect('a')
    await client.say(stream('InfiniteStream'), stream('Stream'))
    expect(client.records).toEqual([failed("Invocation ID '1' is already in use.")])
    await client.say(cancel)
    await client.say(stream('Stream'))
    expect(client.records.slice(1)).toHaveLength(6)
  })

  it('runs beside others', async () => {
    const { connect } = openRuntime(createConformanceHub())
    const client = connect('a')
    await client.say(stream('InfiniteStream', [], '7'), stream('InfiniteStream', [], '8'), stream('Stream'))
    expect(client.records.at(-1)).toBe(END)
  })

  it('is one of so many that a client may have', async () => {
    const { connect } = openStreams({ limits: { streamsMax: 1 } })
    const client = connect('a')
    await client.say(stream('Stuck'), stream('Count', [1], '2'))
    expect(client.records[0]).toBe(
      `{"type":3,"invocationId":"2","error":"An unexpected error occurred invoking 'Count' on the server. HubException: The client has 1 streams already."}`,
    )
  })
})

describe('a stream that is cancelled', () => {
  it('ends, and its end is said after what its method says at last', async () => {
    const { connect } = openRuntime(createConformanceHub())
    const client = connect('a')
    await client.say(stream('InfiniteStream'))
    await client.say(cancel)
    expect(client.records).toEqual(['{"type":1,"target":"StreamCanceled","arguments":[]}', END])
  })

  it('ends without an error where its method throws because of it', async () => {
    const { connect, errors } = openStreams()
    const client = connect('a')
    await client.say(stream('Signalled'))
    await client.say(cancel)
    expect([client.records, errors]).toEqual([[END], []])
  })

  it('is said to have ended after a while where its method does not end', async () => {
    const { connect, clock } = openStreams({ limits: { streamCancelMs: 50 } })
    const client = connect('a')
    await client.say(stream('Stuck'))
    await client.say(cancel)
    expect(client.records).toEqual([item(1)])
    clock.advance(50)
    await settle(clock)
    expect(client.records).toEqual([item(1), END])
    expect(clock.timerCount).toBe(0)
  })

  it('in the same piece in which it was asked for, never runs on', async () => {
    const { connect, log } = openStreams()
    const client = connect('a')
    await client.say(stream('Count', [1000]), cancel)
    expect(client.records.at(-1)).toBe(END)
    expect(log.length).toBeLessThan(5)
  })
})

describe('a client that does not read its stream', () => {
  it('gets no more than its mark, and the rest when it reads on', async () => {
    const { connect, clock, log } = openStreams({ limits: { highWaterMarkBytes: 8192 } })
    const client = connect('a')
    client.transport.isTaking = false
    await client.say(stream('Large'))
    expect(log).toEqual(['large 1', 'large 2', 'large 3'])
    client.transport.take()
    await settle(clock)
    expect(log).toHaveLength(6)
    // What the client says waits too, until it reads.
    await client.say(cancel)
    client.transport.take()
    await settle(clock)
    client.transport.take()
    expect(client.records.at(-1)).toBe(END)
  })

  it('holds nothing when it goes', async () => {
    const { connect, clock, log, runtime } = openStreams({ limits: { highWaterMarkBytes: 4096 } })
    const client = connect('a')
    client.transport.isTaking = false
    await client.say(stream('Count', [100_000]), { ...stream('Stuck'), invocationId: '2' })
    const counted = log.length
    client.transport.hangUp()
    await settle(clock)
    expect(log.slice(counted)).toEqual(['count left'])
    expect([runtime.connectionCount, clock.timerCount]).toEqual([0, 0])
  })

  it('lets the loop turn where a stream has no end to its items', async () => {
    const { connect, clock, log } = openStreams({ limits: { streamItemsPerTurn: 10 } })
    const client = connect('a')
    client.transport.send(`${JSON.stringify(stream('Count', [25]))}\x1e`)
    const counts: number[] = []
    do {
      await new Promise(setImmediate)
      counts.push(log.length)
    } while (clock.turn())
    expect(counts).toEqual([10, 20, 26, 26])
    expect(client.records.at(-1)).toBe(END)
  })
})
