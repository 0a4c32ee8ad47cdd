import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Codec, type HubMessage, jsonCodec } from '@serverchannel/protocol'
import { describe, expect, it } from 'vitest'
import { readCorpus } from '../fuzz/corpus.ts'
import { minimise } from '../fuzz/minimise.ts'
import { mutate } from '../fuzz/mutation.ts'
import { type CodecName, Flaw, judge, judgeCodec } from '../fuzz/oracle.ts'
import { createRandom, firstSeed } from './random.ts'

const folder = fileURLToPath(new URL('../fuzz/corpus', import.meta.url))
const CORPUS_BYTES_MAX = 65_536
const MUTANTS = 4000

describe.each<CodecName>(['json', 'messagepack'])('the inputs that fuzzing found for %s', (name) => {
  const corpus = readCorpus(folder, name)

  it('are read as messages or refused with a ProtocolError, and what is read can be written and read again', () => {
    const verdicts = corpus.map((input) => judge(name, input))
    // Of each kind there are some, or they show nothing.
    const kinds = new Set(verdicts.map(({ messages, error }) => `${messages > 0 ? 'messages' : 'none'}, ${error}`))
    expect([...kinds].filter((kind) => !kind.startsWith('messages, too')).sort()).toEqual([
      'messages, malformed',
      'messages, undefined',
      'none, malformed',
      'none, too-deep',
      'none, too-large',
      'none, undefined',
    ])
    expect(readFileSync(`${folder}/${name}.txt`).length).toBeLessThan(CORPUS_BYTES_MAX)
  })

  it('hold for changes of them as well', () => {
    const seed = firstSeed()
    const random = createRandom(seed)
    for (let i = 0; i < MUTANTS; i++) {
      const input = mutate(name, corpus, random)
      try {
        judge(name, input)
      } catch (cause) {
        throw new Error(`With SEED=${seed}, input ${i}: ${Buffer.from(input).toString('hex')}`, { cause })
      }
    }
  })
})

describe('what judges the inputs', () => {
  type Read = (data: string) => Generator<HubMessage, void, undefined>

  /** The JSON codec with another way of reading. */
  function withRead(change: (read: Read) => Read): Codec<string> {
    return {
      ...jsonCodec,
      createReader(limits) {
        const reader = jsonCodec.createReader(limits)
        return { read: change((data) => reader.read(data)) }
      },
    }
  }

  const judgeText = (codec: Codec<string>, text: string): unknown =>
    judgeCodec(codec, text, (data, start, end) => data.slice(start, end))
  const PING = '{"type":6}\x1e'

  it.each<[string, Codec<string>, string]>([
    [
      'an error of another kind',
      withRead(
        () =>
          // oxlint-disable-next-line eslint/require-yield
          function* () {
            throw new TypeError('Cannot read properties of undefined')
          },
      ),
      'no ProtocolError',
    ],
    [
      'pieces that are lost',
      withRead(
        (read) =>
          function* (data) {
            if (data.endsWith('\x1e')) yield* read(data.length > 1 ? data : '')
            else yield* read(data)
          },
      ),
      'Cut into pieces',
    ],
    [
      'time beyond all measure',
      withRead(
        (read) =>
          function* (data) {
            const start = performance.now()
            while (performance.now() - start < 10) yield* read('')
            yield* read(data)
          },
      ),
      'took longer',
    ],
    ['a message that can not be written', { ...jsonCodec, encode: () => JSON.stringify(1n) }, 'can not be written'],
    ['a message that is written wrongly', { ...jsonCodec, encode: () => '{"type":7}\x1e' }, 'reads as something else'],
    ['a message that is written without its end', { ...jsonCodec, encode: () => '{"type":6}' }, 'can not be read'],
  ])('sees %s', (_, codec, flaw) => {
    expect(judgeText(jsonCodec, PING)).toEqual({ messages: 1, error: undefined })
    expect(() => judgeText(codec, PING)).toThrow(Flaw)
    expect(() => judgeText(codec, PING)).toThrow(flaw)
  })

  it('leaves of an input that shows a flaw only what shows it', () => {
    const input = Buffer.from(`${PING.repeat(20)}{"type":6,"x":[1,2]}\x1e`)
    const isAsGood = (candidate: Uint8Array): boolean => Buffer.from(candidate).includes('[1')
    expect(Buffer.from(minimise('json', input, isAsGood)).toString()).toBe('[1')
  })

  it.each<CodecName>(['json', 'messagepack'])('is led by what runs of the codec of %s', (name) => {
    const driver = fileURLToPath(new URL('../fuzz/dist/fuzz/main.js', import.meta.url))
    const out = execFileSync(process.execPath, [driver, '--codec', name, '--seconds', '1', '--seed', '1'], {
      encoding: 'utf8',
    })
    const [, inputs, reached, blocks] = /(\d+) inputs \(\d+\/s\), (\d+) of (\d+) blocks/.exec(out) ?? []
    expect(Number(inputs)).toBeGreaterThan(readCorpus(folder, name).length + 200)
    expect(Number(reached)).toBeGreaterThan(Number(blocks) / 2)
  })
})
