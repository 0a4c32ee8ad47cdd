import { describe, expect, it } from 'vitest'
import { createRandom, firstSeed, withSeed } from '../../protocol/test/random.ts'
import { type Fault, type Outcome, simulate } from './simulation.ts'

/** One named by `SEED` is run alone, to have a failure again. */
const SEEDS = process.env['SEED'] === undefined ? 400 : 1

describe('in simulations of posts, cuts, slow readers and lost history', () => {
  it('every client that resumes gets all in order and once, or is told of the gap', async () => {
    const first = firstSeed()
    const total = { messages: 0, gaps: 0, recoveries: 0, resumes: 0 }
    for (let index = 0; index < SEEDS; index++) {
      await withSeed((first + index) >>> 0, async (random) => add(total, await simulate(random)))
    }
    if (SEEDS === 1) return
    // All of it happens, or the simulations test nothing.
    expect(total.messages).toBeGreaterThan(SEEDS * 20)
    expect(total.resumes).toBeGreaterThan(SEEDS)
    expect(total.recoveries).toBeGreaterThan(SEEDS)
    expect(total.gaps).toBeGreaterThan(SEEDS / 10)
  }, 60_000)

  it.each<Fault>(['drop one', 'swap two', 'redeliver one'])(
    'a network that would %s does not go unnoticed',
    async (fault) => {
      const first = firstSeed()
      let faulty = 0
      for (let index = 0; index < 60; index++) {
        const seed = (first + index) >>> 0
        const outcome = await simulate(createRandom(seed), fault).catch((error: unknown) => error)
        if (outcome instanceof Error) faulty++
        else expect((outcome as Outcome).isFaulty, `SEED=${seed}: the fault was put in and nobody noticed`).toBe(false)
      }
      expect(faulty).toBeGreaterThan(20)
    },
  )
})

function add(total: Record<string, number>, outcome: Outcome): void {
  for (const name of ['messages', 'gaps', 'recoveries', 'resumes'] as const) {
    total[name] = (total[name] ?? 0) + outcome[name]
  }
}
