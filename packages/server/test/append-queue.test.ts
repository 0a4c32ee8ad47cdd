import { describe, expect, it, onTestFinished } from 'vitest'
import { ChannelError } from '../src/channel/channel-error.ts'
import type { Draft } from '../src/channel/entry.ts'
import type { Appended } from '../src/channel/store.ts'
import { AppendQueue, type AppendQueueLimits, EngineAway } from '../src/stores/append-queue.ts'
import { range } from './channel-scene.ts'
import { draft } from './store-contract.ts'
import { until } from './until.ts'

const LIMITS: AppendQueueLimits = {
  countMax: 1000,
  bytesMax: 1_000_000,
  waitMsMax: 5000,
  pieceCountMax: 4,
  pieceBytesMax: 100_000,
}

interface Write {
  readonly bodies: readonly string[]
  readonly number: number
  readonly answer: () => void
  readonly fail: (error: Error) => void
}

/** A queue whose engine does what the test says. */
function createQueue(limits: Partial<AppendQueueLimits> = {}): { queue: AppendQueue; writes: Write[] } {
  const writes: Write[] = []
  let head = 0
  const write = (drafts: readonly Draft[], number: number): Promise<Appended> =>
    new Promise((resolve, reject) => {
      const answer = (): void => {
        const offsets = drafts.map(() => ++head)
        resolve({ epoch: 'e', offsets, durability: 'logged' })
      }
      writes.push({ bodies: drafts.map(({ body }) => body), number, answer, fail: reject })
    })
  const queue = new AppendQueue({ engine: 'Engine', write, limits: { ...LIMITS, ...limits } })
  onTestFinished(async () => {
    const closing = queue.close()
    for (const { fail } of writes) fail(new EngineAway('The test is over.'))
    await closing
  })
  return { queue, writes }
}

/** What becomes of an append, so that nothing goes unhandled. */
function outcomeOf(appending: Promise<Appended>): Promise<Appended | Error> {
  return appending.catch((error: Error) => error)
}

describe('appends to an engine', () => {
  it('that are too large together go one by one, in order, and only one that is too large alone fails', async () => {
    const { queue, writes } = createQueue()
    const outcomes = range(1, 5).map((number) => outcomeOf(queue.append([draft(String(number))])))
    writes[0]?.answer()
    const tooLarge = new ChannelError('body_too_large', 'Too large.')
    await until(() => writes.length === 2, 'the others go together')
    expect(writes[1]?.bodies).toEqual(['2', '3', '4', '5'])
    writes[1]?.fail(tooLarge)
    for (const [index, body] of ['2', '3', '4', '5'].entries()) {
      await until(() => writes.length === index + 3, 'the next goes')
      expect(writes[index + 2]?.bodies).toEqual([body])
      // Those that come meanwhile go together again, behind.
      if (index === 0) outcomes.push(...range(6, 7).map((number) => outcomeOf(queue.append([draft(String(number))]))))
      if (body === '3') writes[index + 2]?.fail(tooLarge)
      else writes[index + 2]?.answer()
    }
    await until(() => writes.length === 7, 'what came meanwhile goes')
    expect(writes[6]?.bodies).toEqual(['6', '7'])
    writes[6]?.answer()
    const found = (await Promise.all(outcomes)).map((outcome) => (outcome instanceof Error ? outcome : outcome.offsets))
    expect(found).toEqual([[1], [2], tooLarge, [3], [4], [5], [6]])
  })

  it('that come while one is under way go together, up to a bound, and each gets its own offsets', async () => {
    const { queue, writes } = createQueue()
    const outcomes = range(1, 6).map((number) => queue.append([draft(String(number))]))
    expect(writes.map(({ bodies }) => bodies)).toEqual([['1']])
    writes[0]?.answer()
    await until(() => writes.length === 2, 'the next piece is written')
    expect(writes[1]?.bodies).toEqual(['2', '3', '4', '5'])
    writes[1]?.answer()
    await until(() => writes.length === 3, 'the last piece is written')
    writes[2]?.answer()
    expect((await Promise.all(outcomes)).map(({ offsets }) => offsets)).toEqual(range(1, 6).map((offset) => [offset]))
  })

  it('larger than a piece go in one all the same', async () => {
    const { queue, writes } = createQueue()
    const outcome = queue.append(range(1, 9).map((number) => draft(String(number))))
    expect(writes[0]?.bodies).toHaveLength(9)
    writes[0]?.answer()
    expect((await outcome).offsets).toEqual(range(1, 9))
  })

  it('that is away wait, and the very same piece is tried again under its number', async () => {
    const { queue, writes } = createQueue()
    const first = queue.append([draft('1')])
    const second = queue.append([draft('2')])
    writes[0]?.fail(new EngineAway('gone'))
    await until(() => queue.away !== undefined, 'the queue knows that the engine is away')
    const third = queue.append([draft('3')])
    queue.resume()
    expect(writes.map(({ bodies, number }) => [bodies, number])).toEqual([
      [['1'], 1],
      [['1'], 1],
    ])
    writes[1]?.answer()
    await until(() => writes.length === 3, 'what waited comes next')
    expect([writes[2]?.bodies, writes[2]?.number]).toEqual([['2', '3'], 2])
    writes[2]?.answer()
    expect((await Promise.all([first, second, third])).flatMap(({ offsets }) => offsets)).toEqual([1, 2, 3])
    expect(queue.away).toBeUndefined()
  })

  it('are tried again without being told to', async () => {
    const { queue, writes } = createQueue()
    const outcome = queue.append([draft('1')])
    writes[0]?.fail(new EngineAway('gone'))
    await until(() => writes.length === 2, 'it is tried again')
    writes[1]?.answer()
    expect((await outcome).offsets).toEqual([1])
  })

  it('that refuses one fail at once, and the next one is written', async () => {
    const { queue, writes } = createQueue()
    const first = outcomeOf(queue.append([draft('1')]))
    const second = queue.append([draft('2')])
    writes[0]?.fail(new Error('no'))
    expect(await first).toMatchObject({ message: 'no' })
    await until(() => writes.length === 2, 'the next one is written')
    writes[1]?.answer()
    expect((await second).offsets).toEqual([1])
  })

  it('wait no longer than their time: then they fail, may be tried again, and say what is known of them', async () => {
    const { queue, writes } = createQueue({ waitMsMax: 150 })
    const first = outcomeOf(queue.append([draft('1')]))
    const second = outcomeOf(queue.append([draft('2')]))
    writes[0]?.fail(new EngineAway('gone'))
    expect(await first).toMatchObject({
      code: 'store_failed',
      retry: true,
      message: expect.stringContaining('may be in the log or not'),
    })
    expect(await second).toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('it was not posted'),
      cause: { message: 'gone' },
    })
    // Nobody waits for them any more: they are not written later.
    const before = writes.length
    for (const { fail } of writes) fail(new EngineAway('gone'))
    const third = queue.append([draft('3')])
    await until(() => writes.length > before && writes.at(-1)?.bodies[0] === '3', 'what comes later is written')
    writes.at(-1)?.answer()
    expect((await third).offsets).toEqual([1])
  })

  it.each([
    ['count', { countMax: 3 }],
    ['bytes', { bytesMax: 1600 }],
  ] as const)('wait up to a bound in %s: any more fail at once', async (_what, limits) => {
    const { queue, writes } = createQueue(limits)
    const outcomes = range(1, 3).map((number) => queue.append([draft(String(number))]))
    expect(await outcomeOf(queue.append([draft('4')]))).toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('as many as may'),
    })
    writes[0]?.answer()
    await until(() => writes.length === 2, 'the others are written')
    writes[1]?.answer()
    await Promise.all(outcomes)
    const after = queue.append([draft('5')])
    await until(() => writes.length === 3, 'there is room again')
    writes[2]?.answer()
    expect((await after).offsets).toEqual([4])
  })

  it('end with the queue: what is under way ends first, what waits fails', async () => {
    const { queue, writes } = createQueue()
    const first = queue.append([draft('1')])
    const second = outcomeOf(queue.append([draft('2')]))
    const closing = queue.close()
    writes[0]?.answer()
    await closing
    expect((await first).offsets).toEqual([1])
    expect(await second).toMatchObject({ code: 'channel_closed' })
    await expect(queue.append([draft('3')])).rejects.toMatchObject({ code: 'channel_closed' })
  })
})
