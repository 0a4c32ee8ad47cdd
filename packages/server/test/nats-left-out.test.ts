import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AlteringProxy } from '../../../test/support/altering-proxy.ts'
import { hasNats, NatsProcess } from '../../../test/support/nats-process.ts'
import type { Store } from '../src/channel/store.ts'
import { parseNatsAddress } from '../src/stores/nats-address.ts'
import { range } from './channel-scene.ts'
import { channelName } from './engine-bounds.ts'
import { createNatsStore } from './nats-scene.ts'
import { append, draft, Follower } from './store-contract.ts'
import { until } from './until.ts'

const DELIVERY = /HMSG \S+ \d+ (\$JS\.ACK\.[^.\s]+\.[^.\s]+\.\d+)\.(\d+)\.(\d+)(\.\S+) \d+ (\d+)\r\n/g

/**
 * What a server of a cluster says whose copy of the stream lacks messages, as one that was killed may: its consumers go on
 * behind them as if they were none. `leftOut` holds their sequences.
 */
function withoutMessages(text: string, leftOut: ReadonlySet<number>): string {
  const info = text.replace(/^INFO \{/, 'INFO {"cluster":"test",')
  let altered = ''
  let end = 0
  for (const match of info.matchAll(DELIVERY)) {
    const [line, about = '', streamSeq, consumerSeq, rest = '', bytes] = match
    const behind = match.index + line.length + Number(bytes) + 2
    const before = [...leftOut].filter((seq) => seq < Number(streamSeq)).length
    const reply = `${about}.${streamSeq}.${Number(consumerSeq) - before}${rest}`
    altered += info.slice(end, match.index)
    if (!leftOut.has(Number(streamSeq))) {
      altered += line.replace(/\$JS\.ACK\.\S+/, reply) + info.slice(match.index + line.length, behind)
    }
    end = behind
  }
  return altered + info.slice(end)
}

/** A store that writes, and the address of the same log by a server that leaves messages out. */
async function begin(
  missing: readonly number[],
): Promise<{ writer: Store; url: string; channel: string; nats: NatsProcess }> {
  const nats = await NatsProcess.start()
  onTestFinished(() => nats.close())
  const leftOut = new Set(missing)
  const proxy = new AlteringProxy(nats.port, (text) => withoutMessages(text, leftOut))
  onTestFinished(() => proxy.close())
  const channel = channelName()
  const writer = createNatsStore(nats.url, channel)
  await writer.open(new Follower())
  onTestFinished(() => writer.close())
  return { writer, url: `nats://${(await proxy.listen()).host}`, channel, nats }
}

describe.skipIf(!hasNats)('a server of a NATS cluster whose consumers leave out messages that others have', () => {
  it.each([
    ['in the middle', [4, 5, 6]],
    ['at the end', [8, 9]],
  ] as const)('%s: they are read by themselves, and nobody is told of a gap', async (_, missing) => {
    const { writer, url, channel } = await begin(missing)
    const reader = createNatsStore(url, channel)
    const follower = new Follower()
    await reader.open(follower)
    onTestFinished(() => reader.close())
    for (const number of range(1, 8)) await append(writer, [draft(String(number))])
    await until(() => follower.entries.length >= 8, 'the reader has all of it')
    expect(follower.entries.map(({ offset }) => offset)).toEqual(range(1, 8))
    expect(follower.epochs).toEqual([])
    expect(reader.state()).toMatchObject({ head: 8, trimmedTo: 0 })
  })

  it('of which one is gone: what is behind it waits until that is sure, and then a gap is told', {
    timeout: 40_000,
  }, async () => {
    const { writer, url, channel, nats } = await begin([4, 5, 6, 7, 8, 9])
    const reader = createNatsStore(url, channel)
    const follower = new Follower()
    await reader.open(follower)
    onTestFinished(() => reader.close())
    for (const number of range(1, 8)) await append(writer, [draft(String(number))])
    // That of the third entry, before anybody has asked for it.
    const connection = await connect({ servers: `127.0.0.1:${nats.port}` })
    onTestFinished(() => connection.close())
    const { streams } = await jetstreamManager(connection)
    const { stream } = parseNatsAddress(`${nats.url}?channel=${encodeURIComponent(channel)}`)
    await streams.deleteMessage(stream, 4, false)
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(follower.entries.map(({ offset }) => offset)).toEqual([1, 2])
    expect(follower.epochs).toEqual([])
    await until(() => follower.entries.at(-1)?.offset === 8, 'the reader has the rest', 20_000)
    expect(follower.entries.map(({ offset }) => offset)).toEqual([1, 2, 4, 5, 6, 7, 8])
    expect(follower.epochs).toMatchObject([{ head: 3, trimmedTo: 3 }])
  })

  it('when the log is read at the start: all of it is kept', async () => {
    const { writer, url, channel } = await begin([3, 4, 9])
    for (const number of range(1, 8)) await append(writer, [draft(String(number))])
    const reader = createNatsStore(url, channel)
    onTestFinished(() => reader.close())
    expect(await reader.open(new Follower())).toMatchObject({ head: 8, trimmedTo: 0 })
    expect((await reader.read(0, 100, 1_000_000)).entries.map(({ offset }) => offset)).toEqual(range(1, 8))
  })
})
