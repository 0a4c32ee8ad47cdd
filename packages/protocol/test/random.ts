/** A stream of random numbers that the seed alone decides, so that a failure can be had again. */
export interface Random {
  readonly seed: number
  /** From 0 up to, but not including, 1. */
  next(): number
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number
  /** True as often as the chance says, from 0 to 1. */
  chance(chance: number): boolean
  pick<Item>(items: readonly Item[]): Item
}

/** Source: mulberry32, by Tommy Ettinger, in the public domain. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    seed,
    next,
    below: (below) => Math.floor(next() * below),
    chance: (chance) => next() < chance,
    pick(items) {
      const item = items[Math.floor(next() * items.length)]
      if (item === undefined) throw new RangeError('There is nothing to pick from')
      return item
    },
  }
}

/** The seed to begin with: another one in every run, or the one that `SEED` names. */
export function firstSeed(): number {
  const given = process.env['SEED']
  return given === undefined ? Math.floor(Math.random() * 0xffff_ffff) : Number(given)
}

/** Runs it with a seed, and says in its failure which one that was. */
export async function withSeed(seed: number, run: (random: Random) => void | Promise<void>): Promise<void> {
  try {
    await run(createRandom(seed))
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`With SEED=${seed}: ${detail}`, { cause })
  }
}
