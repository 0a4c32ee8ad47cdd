import { expect, it } from 'vitest'
import { toEntry } from '../src/channel/entry.ts'
import { draftFromText, draftToText, entryFromText } from '../src/stores/draft-text.ts'
import { draft, FULL } from './store-contract.ts'

it.each([
  ['bare', draft('null')],
  ['full', draft('{"__proto__":1,"a":["\\ud800","\\n"]}', FULL)],
  ['of a poster’s id', draft('"text"', { id: 'x', isIdempotent: true })],
  ['to all but one', draft('1', { audience: { all: true, except: ['c'] } })],
])('gives back a draft that is %s as it was', (_, each) => {
  expect(draftFromText(draftToText(each))).toEqual(each)
  expect(entryFromText(draftToText(each), 7)).toEqual(toEntry(each, 7))
})

it.each(['', '{}', '{"id":"a"}\n', '{"id":"a"}\n1', '{"id":1,"sender":"S","postedAt":1}\n1', '{"id":"a"\n1', 'x\n1'])(
  'throws where a text is not whole: %j',
  (text) => expect(() => draftFromText(text)).toThrow(SyntaxError),
)
