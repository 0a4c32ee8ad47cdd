import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonTooDeep } from '../src/index.ts'

/** The same by another way: of the value, not of its text. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

describe('isJsonTooDeep', () => {
  it('agrees with a count of the parsed value, for any JSON and any limit', () => {
    const hostileText = fc
      .array(fc.constantFrom('"', '\\', '[', ']', '{', '}', 'a', '\u001e'))
      .map((parts) => parts.join(''))
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.oneof(hostileText, fc.integer(), fc.constant(null)),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(hostileText, tie('value'), { maxKeys: 3 }),
      ),
    }))
    fc.assert(
      fc.property(value, fc.nat(8), fc.constantFrom(0, 2), (json, depthMax, indent) => {
        const text = JSON.stringify(json, undefined, indent)
        expect(isJsonTooDeep(text, depthMax)).toBe(depthOf(JSON.parse(text)) > depthMax)
      }),
      { numRuns: 1000 },
    )
  })

  it('never misses depth in text that JSON.parse would take', () => {
    for (const depth of [1, 64, 10_000]) {
      expect(isJsonTooDeep('['.repeat(depth) + ']'.repeat(depth), depth)).toBe(false)
      expect(isJsonTooDeep('['.repeat(depth) + ']'.repeat(depth), depth - 1)).toBe(true)
      expect(isJsonTooDeep('{"a":'.repeat(depth) + '1' + '}'.repeat(depth), depth - 1)).toBe(true)
    }
  })

  it.each([
    ['unfinished strings', '"'.repeat(1_000_001)],
    ['backslashes', `"${'\\'.repeat(1_000_000)}`],
    ['escaped quotes', `"${'\\"'.repeat(500_000)}`],
    ['closing brackets', ']'.repeat(1_000_000)],
  ])('answers in time in the length of text that is not JSON: %s', (_, text) => {
    const start = performance.now()
    expect(isJsonTooDeep(text, 64)).toBe(false)
    expect(performance.now() - start).toBeLessThan(2000)
  })
})
