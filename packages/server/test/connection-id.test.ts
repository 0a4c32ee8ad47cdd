import { expect, it } from 'vitest'
import { createConnectionId } from '../src/connection-id.ts'

it('gives 128 random bits each time, never the same', () => {
  const ids = Array.from({ length: 2000 }, createConnectionId)
  expect(new Set(ids).size).toBe(2000)
  expect(ids.every((id) => /^[\w-]{22}$/.test(id))).toBe(true)
  // Each bit is set in about half of them; eight standard deviations are allowed.
  for (let bit = 0; bit < 128; bit++) {
    const set = ids.filter((id) => ((Buffer.from(id, 'base64url')[bit >> 3] ?? 0) >> (bit & 7)) & 1).length
    expect(Math.abs(set - 1000)).toBeLessThan(180)
  }
})
