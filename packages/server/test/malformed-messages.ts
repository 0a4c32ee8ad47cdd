import { fileURLToPath } from 'node:url'
import { type HubMessage, jsonCodec } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import { expect } from 'vitest'
import { readCorpus } from '../../protocol/fuzz/corpus.ts'
import { mutate } from '../../protocol/fuzz/mutation.ts'
import type { CodecName } from '../../protocol/fuzz/oracle.ts'
import { type Attack, throwMalformed } from './malformed-rig.ts'
import { exchange, inFrames, upgradeTo } from './malformed-wire.ts'
import { clientFrame } from './served-channel.ts'

const RESUMED = 0.1
const NEGOTIATION = Buffer.from(
  'POST /hub/negotiate?negotiateVersion=1&useStatefulReconnect=true HTTP/1.1\r\n' +
    'Host: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
)

/** What a client of the hub says when all is well. */
const SENSIBLE: readonly (readonly HubMessage[])[] = [
  [{ type: 1, invocationId: '1', target: 'Echo', arguments: [{ a: [1, 'x', null] }] }],
  [{ type: 1, target: 'VoidMethod', arguments: [] }],
  [
    { type: 4, invocationId: '2', target: 'Stream', arguments: [] },
    { type: 5, invocationId: '2' },
  ],
  [
    { type: 1, invocationId: '3', target: 'Concat', arguments: [], streamIds: ['9'] },
    { type: 2, invocationId: '9', item: 'x' },
    { type: 2, invocationId: '9', item: ['y'] },
    { type: 3, invocationId: '9' },
    { type: 3, invocationId: '9', error: 'again' },
  ],
  [{ type: 6 }, { type: 8, sequenceId: 1 }, { type: 9, sequenceId: 7 }, { type: 7, error: 'x', allowReconnect: true }],
]

/** Throws malformed messages of this codec at a hub, made of what fuzzing found and of what is right. */
export async function throwMalformedMessages(name: CodecName): Promise<void> {
  const codec = name === 'json' ? jsonCodec : messagePackCodec
  const encode = (message: HubMessage): Uint8Array => new Uint8Array(Buffer.from(codec.encode(message)))
  const sensible = SENSIBLE.map((messages) => new Uint8Array(Buffer.concat(messages.map(encode))))
  const found = readCorpus(fileURLToPath(new URL('../../protocol/fuzz/corpus', import.meta.url)), name)
  // What is right comes last, as that is what is changed most.
  const corpus = [...found, ...sensible]
  const shake = (version: number): Buffer => clientFrame(1, `{"protocol":"${name}","version":${version}}\x1e`)
  const counts = { refused: 0, answered: 0 }
  const attack: Attack = async (random, port) => {
    const create = (): Buffer[] => inFrames(mutate(name, random.chance(0.5) ? corpus : sensible, random), random)
    if (random.chance(RESUMED)) {
      // A connection that outlives its socket, and goes on, or not, on another one.
      const [, token = ''] = /"connectionToken":"([\w-]+)"/.exec(await exchange(port, [NEGOTIATION], 'ended')) ?? []
      await exchange(port, [upgradeTo(`/hub?id=${token}`), shake(2), ...create()], random.pick(['answered', 'reset']))
      await exchange(port, [upgradeTo(`/hub?id=${token}`), ...create()], random.pick(['at once', 'reset']))
      return
    }
    const pieces = [upgradeTo(random.chance(0.8) ? '/hub' : '/msg'), shake(1), ...create()]
    const text = await exchange(port, pieces, 'at once')
    if (!text.includes('{}\x1e')) throw new Error(`The handshake was answered ${JSON.stringify(text.slice(0, 500))}`)
    if (text.includes('Connection closed with an error.')) counts.refused++
    else counts.answered++
  }
  await throwMalformed(attack)
  // Both happen, or the inputs test nothing.
  if (process.env['INPUTS'] !== undefined) return
  for (const [kind, count] of Object.entries(counts)) expect([kind, count > 1000]).toEqual([kind, true])
}
