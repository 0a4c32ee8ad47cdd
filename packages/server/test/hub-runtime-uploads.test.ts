import { describe, expect, it } from 'vitest'
import { defineHub } from '../src/hub/hub-definition.ts'
import { upload } from '../src/hub/validator.ts'
import { createConformanceHub } from './conformance-hub.ts'
import { openRuntime, type RuntimeOptions, settle } from './hub-runtime-scene.ts'

const item = (value: unknown) => JSON.stringify({ type: 2, invocationId: '1', item: value })
const END = '{"type":3,"invocationId":"1"}'
const failed = (error: string) => JSON.stringify({ type: 3, invocationId: '1', error })

interface Uploading {
  server: {
    Slowly(stream: AsyncIterable<number>): number
    First(stream: AsyncIterable<number>): number
    Double(stream: AsyncIterable<number>, factor: number): AsyncIterable<number>
    Zip(a: AsyncIterable<string>, b: AsyncIterable<string>): string
  }
  client: object
}

function openUploads(options: RuntimeOptions = {}) {
  let proceed: (() => void) | undefined
  const seen: unknown[] = []
  const hub = defineHub<Uploading>({
    methods: {
      Slowly: {
        parameters: [upload()],
        async run(_, stream) {
          await new Promise<void>((resolve) => {
            proceed = resolve
          })
          let count = 0
          for await (const number of stream) {
            seen.push(number)
            count++
          }
          return count
        },
      },
      First: {
        parameters: [upload()],
        async run(_, stream) {
          for await (const number of stream) return number
          return 0
        },
      },
      Double: {
        parameters: [
          upload(),
          { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: Number(value) }) } },
        ],
        async *run(_, stream, factor) {
          for await (const number of stream) yield number * factor
        },
        streams: true,
      },
      Zip: {
        parameters: [upload(), upload()],
        async run(_, a, b) {
          let text = ''
          for await (const piece of b) text += piece
          for await (const piece of a) text += piece
          return text
        },
      },
    },
  })
  return { ...openRuntime(hub, options), seen, proceed: () => proceed?.() }
}

const uploading = (target: string, streamIds: readonly string[], args: readonly unknown[] = []) => ({
  type: 1,
  invocationId: '1',
  target,
  arguments: args,
  streamIds,
})
const sent = (value: unknown, invocationId = 'u') => ({ type: 2, invocationId, item: value })
const done = (invocationId = 'u') => ({ type: 3, invocationId })
const numbers = (count: number) => Array.from({ length: count }, (_, index) => sent(index))

describe('a stream from the client (T1)', () => {
  it('is read as it comes, and its end is the end', async () => {
    const { connect } = openRuntime(createConformanceHub())
    const client = connect('a')
    await client.say(uploading('StreamingConcat', ['u']), sent('Hello '))
    await client.say(sent('world'))
    await client.say(done())
    expect(client.records).toEqual(['{"type":3,"invocationId":"1","result":"Hello world"}'])
  })

  it('that ends with an error throws it where it is read (2.9)', async () => {
    const { connect } = openRuntime(createConformanceHub())
    const client = connect('a')
    await client.say(uploading('StreamingConcat', ['u']), sent('x'), { ...done(), error: 'Something bad' })
    expect(client.records).toEqual([
      failed("An unexpected error occurred invoking 'StreamingConcat' on the server. HubException: Something bad"),
    ])
  })

  it('whose items are not valid throws where it is read', async () => {
    const { connect } = openRuntime(createConformanceHub())
    const client = connect('a')
    await client.say(uploading('StreamingConcat', ['u']), sent(42), sent('x'), done())
    expect(client.records).toEqual([
      failed(
        "An unexpected error occurred invoking 'StreamingConcat' on the server. HubException: Failed to bind Stream message.",
      ),
    ])
  })

  it('may be one of several, and may go with a stream to the client', async () => {
    const { connect } = openUploads()
    const client = connect('a')
    await client.say(uploading('Zip', ['u', 'v']), sent('1', 'v'), sent('2'), done(), done('v'))
    expect(client.records).toEqual(['{"type":3,"invocationId":"1","result":"12"}'])
    await client.say({ ...uploading('Double', ['u'], [10]), type: 4 }, sent(1))
    await client.say(sent(2))
    await client.say(done())
    expect(client.records.slice(1)).toEqual([item(10), item(20), END])
  })

  it('needs an id that no other of the client has', async () => {
    const { connect } = openUploads()
    const client = connect('a')
    await client.say(uploading('Zip', ['u', 'u']))
    expect(client.records).toEqual([
      failed(
        "An unexpected error occurred invoking 'Zip' on the server. HubException: Stream ID 'u' is already in use.",
      ),
    ])
  })

  it('that its reader has left is passed over', async () => {
    const { connect } = openUploads()
    const client = connect('a')
    await client.say(uploading('First', ['u']), sent(7), sent(8))
    await client.say(...numbers(100), done())
    expect(client.records).toEqual(['{"type":3,"invocationId":"1","result":7}'])
    expect(client.transport.isPaused).toBe(false)
  })

  it('that is full is not read on until its reader has taken of it', async () => {
    const { connect, clock, seen, proceed } = openUploads()
    const client = connect('a')
    await client.say(uploading('Slowly', ['u']), ...numbers(9))
    expect(client.transport.isPaused).toBe(false)
    await client.say(sent(9))
    expect(client.transport.isPaused).toBe(true)
    await client.say(sent(10), done())
    expect(client.connection.state).toBe('open')
    proceed()
    await settle(clock)
    expect([seen.length, client.transport.isPaused, clock.timerCount]).toEqual([11, false, 0])
    expect(client.records).toEqual(['{"type":3,"invocationId":"1","result":11}'])
  })

  it('that is full and never read fails after a while, and the client is read on', async () => {
    const { connect, clock, proceed } = openUploads({ limits: { uploadStalledMs: 1000 } })
    const client = connect('a')
    await client.say(uploading('Slowly', ['u']), ...numbers(10))
    clock.advance(999)
    expect(client.transport.isPaused).toBe(true)
    clock.advance(1)
    expect(client.transport.isPaused).toBe(false)
    proceed()
    await settle(clock)
    expect(client.records).toEqual([
      failed(
        "An unexpected error occurred invoking 'Slowly' on the server. HubException: The stream was not read for 1000 ms.",
      ),
    ])
  })

  it('of which too much has come before the pause fails', async () => {
    const { connect, clock, proceed } = openUploads({ limits: { uploadItemsMax: 20 } })
    const client = connect('a')
    await client.say(uploading('Slowly', ['u']), ...numbers(21))
    proceed()
    await settle(clock)
    expect(client.records).toEqual([
      failed(
        "An unexpected error occurred invoking 'Slowly' on the server. HubException: More than 20 items of the stream were not read.",
      ),
    ])
  })

  it('ends with the connection: its reader gets an error', async () => {
    const { connect, clock, errors, runtime } = openUploads()
    const client = connect('a')
    await client.say(uploading('Zip', ['u', 'v']), sent('x', 'v'))
    client.transport.hangUp()
    await settle(clock)
    expect(errors).toMatchObject([{ where: 'Zip', error: { code: 'not_found' } }])
    expect([runtime.connectionCount, clock.timerCount]).toEqual([0, 0])
  })
})
