import { expect, it } from 'vitest'
import type { Random } from '../../protocol/test/random.ts'
import { HANDSHAKE } from './hub-scene.ts'
import { type Attack, throwMalformed } from './malformed-rig.ts'
import { exchange, inFrames, mutateBytes, noise, upgradeTo } from './malformed-wire.ts'

const WORDS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\x1e',
    '\x00',
    '\\',
    ' ',
    '\ufeff',
    'null',
    'true',
    '1',
    '-1',
    '1e999',
    '1.5',
    '2',
    '3',
  ],
  ...[
    '"protocol"',
    '"version"',
    '"type"',
    '"json"',
    '"JSON"',
    '"messagepack"',
    '"__proto__"',
    '"\\u001e"',
    '"\\ud800"',
    'é',
  ],
  ...['{"protocol":"json","version":1}', '{"protocol":"messagepack","version":2}', '{"type":6}', '"minorVersion":0'],
]
const SENSIBLE = [
  HANDSHAKE,
  '{"protocol":"messagepack","version":1}\x1e',
  '{"version":2,"protocol":"json","minorVersion":0,"x":{"y":[]}}\x1e',
  '{"protocol":"json","version":1}\x1e{"type":6}\x1e',
].map((text) => Buffer.from(text))

function createHandshake(random: Random): Buffer {
  if (random.chance(0.1)) return noise(random)
  if (random.chance(0.5)) return mutateBytes(random.pick(SENSIBLE), random)
  let text = ''
  for (let words = random.below(12); words > 0; words--) text += random.pick(WORDS)
  // Long enough to pass the bound of a handshake, or deep.
  if (random.chance(0.1)) text += random.pick(WORDS).repeat(random.below(1500))
  return Buffer.from(random.chance(0.8) ? `${text}\x1e` : text)
}

const counts = { accepted: 0, refused: 0, unanswered: 0 }

const attack: Attack = async (random, port) => {
  const handshake = createHandshake(random)
  const text = await exchange(
    port,
    [upgradeTo(random.pick(['/msg', '/hub'])), ...inFrames(handshake, random)],
    random.chance(0.9) ? 'at once' : 'reset',
  )
  if (text.includes('{}\x1e')) counts.accepted++
  else if (/\{"error":"[^\n]*"\}\x1e/.test(text)) counts.refused++
  else counts.unanswered++
  if (text !== '' && !text.startsWith('HTTP/1.1 101 '))
    throw new Error(`It answered ${JSON.stringify(text.slice(0, 200))}`)
}

it('10,000 malformed handshakes end nothing, hold up nobody and leave nothing behind', {
  timeout: 120_000,
}, async () => {
  await throwMalformed(attack)
  if (process.env['INPUTS'] === undefined) {
    for (const [kind, count] of Object.entries(counts)) expect([kind, count > 200]).toEqual([kind, true])
  }
})
