import { describe, expect, it } from 'vitest'
import { firstSeed, withSeed } from '../../protocol/test/random.ts'
import { EntryQueue } from '../src/channel/entry-queue.ts'

describe('a queue of entries', () => {
  it('holds what a plain list would, however often it grows, goes round and shrinks', async () => {
    await withSeed(firstSeed(), ({ below }) => {
      const queue = new EntryQueue<{ readonly offset: number }>()
      const list: { readonly offset: number }[] = []
      let head = 0
      let dropped = 0
      for (let round = 0; round < 300; round++) {
        for (let count = below(40); count > 0; count--) {
          head += 1 + below(3)
          queue.push({ offset: head })
          list.push({ offset: head })
        }
        // Now and then nearly all of it goes.
        for (let count = below(round % 10 === 0 ? 400 : 40); count > 0; count--) {
          dropped = list.shift()?.offset ?? dropped
          queue.shift()
        }
        expect([queue.count, queue.head, queue.trimmedTo]).toEqual([list.length, head, dropped])
        expect(Array.from(list, (_, index) => queue.at(index))).toEqual(list)
        expect(() => queue.at(list.length)).toThrow(RangeError)
        const offset = below(head + 2)
        expect(queue.indexAfter(offset)).toBe(list.filter((item) => item.offset <= offset).length)
      }
    })
  })
})
