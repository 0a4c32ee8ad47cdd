import { expect, it } from 'vitest'
import type { Random } from '../../protocol/test/random.ts'
import { range } from './channel-scene.ts'
import { type Attack, throwMalformed } from './malformed-rig.ts'
import { exchange } from './malformed-wire.ts'

const NAMES = [
  ...['negotiateVersion', 'NEGOTIATEVERSION', 'negotiateVersion[]', 'negotiate%56ersion', 'useStatefulReconnect'],
  ...['id', 'access_token', 'user', 'position', '__proto__', 'constructor', '%00', '', '%', '%zz', '%ff%fe', '\xff'],
]
const VALUES = [
  ...[
    '1',
    '0',
    '-1',
    '+1',
    '2',
    '007',
    '1.5',
    '1e3',
    '0x1',
    ' 1',
    '%201',
    '1%00',
    '999999999',
    '9999999999',
    '-0',
    'NaN',
  ],
  ...[
    'true',
    'True',
    '',
    '%',
    '%2',
    '%e0%a4%a',
    '%F0%9F%98%80',
    '%ED%A0%80',
    '\xe9',
    '[object Object]',
    '1,1',
    '\\u0031',
  ],
]
const PATHS = [
  ...['/msg/negotiate', '/msg/negotiate', '/msg/negotiate', '/hub/negotiate', '/hub/negotiate', '/MSG/Negotiate'],
  ...[
    '/msg/negotiate/',
    '/msg//negotiate',
    '/msg/%6eegotiate',
    '/msg/../msg/negotiate',
    'http://localhost/msg/negotiate',
  ],
]
const BODIES = ['', '', '{}', '{', '[[[[', '\x1e', '\x00\xff', 'x'.repeat(5000)]
const IDS =
  /^\{("useStatefulReconnect":true,)?"negotiateVersion":[01],"connectionId":"[\w-]{22}",("connectionToken":"[\w-]{22}",)?"availableTransports":\[/
/** As .NET says it; any other answer than that or an identity is none that a client knows. */
const REFUSAL = /^\{"error":"The client requested .{1,200}"\}$/

function createTarget(random: Random): string {
  const pairs = range(1, random.chance(0.9) ? random.below(5) : random.below(400)).map(() => {
    const value = random.chance(0.02) ? random.pick(VALUES).repeat(random.below(3000)) : random.pick(VALUES)
    return `${random.pick(NAMES)}${random.chance(0.9) ? '=' : ''}${value}`
  })
  const query = pairs.join(random.chance(0.9) ? '&' : random.pick([';', '?', '#', '&&', '&=']))
  return `${random.pick(PATHS)}?${query}`.replaceAll(' ', random.chance(0.98) ? '+' : ' ').slice(0, 15_000)
}

const counts = { identities: 0, refusals: 0, other: 0 }

const attack: Attack = async (random, port) => {
  const [method, body] = [
    random.chance(0.95) ? 'POST' : random.pick(['GET', 'OPTIONS', 'PUT', 'post']),
    random.pick(BODIES),
  ]
  const length = random.chance(0.95) ? `Content-Length: ${body.length}` : random.pick(['X: y', 'Content-Length: 1'])
  const head = `${method} ${createTarget(random)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${length}\r\n\r\n`
  const text = await exchange(port, [Buffer.from(head + body, 'latin1')], 'ended')
  const [, status = '', answer = ''] = /^HTTP\/1\.1 (\d+) .*?\r\n\r\n(.*)$/s.exec(text) ?? []
  if (IDS.test(answer)) counts.identities++
  else if (REFUSAL.test(answer)) counts.refusals++
  else if (
    /^4\d\d$/.test(status) ||
    (status === '503' && answer.includes('too_many_negotiations')) ||
    method === 'OPTIONS'
  ) {
    counts.other++
  } else throw new Error(`It answered ${JSON.stringify(text.slice(0, 1000))} to ${JSON.stringify(head.slice(0, 1000))}`)
}

it('10,000 malformed negotiations are answered, hold up nobody and leave nothing behind', {
  timeout: 120_000,
}, async () => {
  await throwMalformed(attack)
  if (process.env['INPUTS'] === undefined) {
    for (const [kind, count] of Object.entries(counts)) expect([kind, count > 200]).toEqual([kind, true])
  }
})
