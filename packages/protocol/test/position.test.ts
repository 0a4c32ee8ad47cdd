import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPosition, parsePosition } from '../src/index.ts'

describe('a position', () => {
  it('comes back from the text that it makes, whatever the epoch is called', () => {
    const epochs = fc.string({ unit: 'binary', minLength: 1, maxLength: 64 })
    fc.assert(
      fc.property(epochs, fc.nat({ max: 999_999_999_999_999 }), (epoch, offset) => {
        expect(parsePosition(formatPosition(epoch, offset))).toEqual({ epoch, offset })
      }),
    )
  })

  it.each([
    ['empty', ''],
    ['without a colon', 'e1'],
    ['without an epoch', ':1'],
    ['without an offset', 'e:'],
    ['negative', 'e:-1'],
    ['not a whole number', 'e:1.5'],
    ['with a sign', 'e:+1'],
    ['with a blank', 'e: 1'],
    ['hexadecimal', 'e:0x1'],
    ['in digits of another script', 'e:١'],
    ['with more digits than a number holds exactly', 'e:1234567890123456'],
    ['with an epoch of more than 64 characters', `${'e'.repeat(65)}:1`],
  ])('is none where it is %s', (_, text) => {
    expect(parsePosition(text)).toBeUndefined()
  })

  it('is looked for in bounded time in a text of any length', () => {
    expect(parsePosition(':1'.repeat(1_000_000))).toBeUndefined()
    expect(parsePosition(`e:${'1'.repeat(1_000_000)}`)).toBeUndefined()
  })
})
