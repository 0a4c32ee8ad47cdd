import { describe, expect, it } from 'vitest'
import { createRandom, firstSeed, withSeed } from '../../protocol/test/random.ts'
import { type Happenings, type Outcome, simulate } from './simulation.ts'
import type { Fault } from './simulation-faults.ts'

/** One named by `SEED` is run alone, to have a failure again: `SEED=7 npx vitest run packages/server/test/simulation.test.ts`. */
const SEEDS = process.env['SEED'] === undefined ? Number(process.env['SEEDS'] ?? 2000) : 1

describe('in simulations of posts, cuts, slow readers, crashes and lost history', () => {
  it('every client that comes back gets all in order and once, or is told of the gap', async () => {
    const first = firstSeed()
    const total = new Map<string, number>()
    for (let index = 0; index < SEEDS; index++) {
      await withSeed((first + index) >>> 0, async (random) => add(total, (await simulate(random)).happened))
    }
    if (SEEDS < 400) return
    // All of it happens, or the simulations test nothing.
    for (const [name, count] of total) expect([name, count > SEEDS / 40]).toEqual([name, true])
    expect(total.get('messages')).toBeGreaterThan(SEEDS * 20)
    expect(total.get('checks')).toBeGreaterThan(SEEDS * 4)
  }, 180_000)
})

describe('faults that are put in', () => {
  it.each<Fault>(['drops one', 'swaps two', 'redelivers one', "forgets a key's last", "forgets a hidden page's last"])(
    'never go unnoticed: a server that %s',
    async (fault) => {
      const first = firstSeed()
      let noticed = 0
      for (let index = 0; index < 60; index++) {
        const seed = (first + index) >>> 0
        const outcome = await tryWith(seed, fault)
        if (outcome instanceof Error) noticed++
        else expect(outcome.isFaulty, `SEED=${seed}: the fault was put in and nobody noticed`).toBe(false)
      }
      expect(noticed).toBeGreaterThan(20)
    },
    60_000,
  )

  it('are noticed as rare as they are: a server that drops one in 10,000', async () => {
    const first = firstSeed()
    for (let index = 0; index < 10_000; index++) {
      const seed = (first + index) >>> 0
      const outcome = await tryWith(seed, 'drops one in 10,000')
      if (outcome instanceof Error) {
        expect(outcome.message).toContain('missing')
        return
      }
      expect(outcome.isFaulty, `SEED=${seed}: the fault was put in and nobody noticed`).toBe(false)
    }
    expect.fail('It was never put in')
  }, 120_000)

  it.each<[Fault, RegExp]>([
    ["forgets an interval's last", /is due, and has not come/],
    ['lets a hidden page wait', /is due, and has not come/],
    ['ignores the epoch', /epoch|position/i],
    ['acknowledges before append', /epoch|position/i],
  ])(
    'are noticed, if not in each run: a server that %s',
    async (fault, message) => {
      const first = firstSeed()
      const noticed: string[] = []
      for (let index = 0; noticed.length < 5; index++) {
        expect(index, 'runs until it was noticed five times').toBeLessThan(3000)
        const outcome = await tryWith((first + index) >>> 0, fault)
        if (outcome instanceof Error) noticed.push(outcome.message)
      }
      expect(noticed.filter((text) => !message.test(text))).toEqual([])
    },
    60_000,
  )
})

async function tryWith(seed: number, fault: Fault): Promise<Outcome | Error> {
  try {
    return await simulate(createRandom(seed), fault)
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}

function add(total: Map<string, number>, happened: Happenings): void {
  for (const [name, count] of Object.entries(happened)) total.set(name, (total.get(name) ?? 0) + (count as number))
}
