import type { HubMessage, ReadLimits } from '../src/index.ts'
import { messagePackCodec } from '../src/messagepack.ts'
import type { Random } from './random.ts'
import { READ_LIMITS } from './reading.ts'

/** The bytes that a text of hexadecimal digits and spaces names. */
export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The message with its length before it; written here a second time, so that the codec is not its own judge. */
export function framed(message: Uint8Array, declared: number = message.length): Uint8Array {
  const length: number[] = []
  let rest = declared
  while (rest >= 0x80) {
    length.push((rest % 0x80) + 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return new Uint8Array([...length, rest, ...message])
}

/** All hub messages that a new reader gives for these bytes. */
export function readBytes(data: Uint8Array, limits: ReadLimits = READ_LIMITS): HubMessage[] {
  return [...messagePackCodec.createReader(limits).read(data)]
}

/** The message that these digits make, framed here. */
export function readHex(hex: string): HubMessage | undefined {
  return readBytes(framed(bytesOf(hex)))[0]
}

/** The one argument of the call that holds these bytes. */
export function readValue(hex: string): unknown {
  // [1, {}, nil, 'x', [value]]
  const message = readHex(`95 01 80 c0 a1 78 91 ${hex}`)
  if (message?.type !== 1) throw new Error('It is no call')
  return message.arguments[0]
}

const WORDS = [
  '95 01 80 c0 a1 78 90',
  '96 01 80 a1 30 a4 45 63 68 6f 91 a2 68 69 90',
  '94 02 80 a1 31 c0',
  '95 03 80 a1 31 03 a1 78',
  '94 03 80 a1 31 02',
  '95 03 80 a1 31 01 a1 65',
  '93 05 80 a1 31',
  '91 06',
  '93 07 c0 c3',
  '92 08 04',
  ...['80', '81', '8f', '90', '91', '9f', 'a0', 'a1', 'bf', 'c0', 'c1', 'c2', 'ca', 'cb', 'cc', 'cf', 'd0', 'd3', 'e0'],
  ...['c4 04', 'c5 00 02', 'c6 ff ff ff ff', 'd9 ff', 'da 00 01 61', 'db 7f ff ff ff', 'dc ff ff', 'dd ff ff ff ff'],
  ...['de ff ff', 'df 80 00 00 00', 'c7 0c ff', 'c8 00 04 ff', 'c9 ff ff ff ff ff', 'd6 ff', 'd7 ff', 'd4 00', 'd8 01'],
  ...['a9 5f 5f 70 72 6f 74 6f 5f 5f', '81 a9 5f 5f 70 72 6f 74 6f 5f 5f 80', 'a3 ed a0 bd', 'a2 c3 a9', 'a1 ff', '78'],
].map(bytesOf)

/** Frames that begin as the protocol and go wrong, or were never like it. */
export function malformedMessagePack(random: Random): Uint8Array {
  const frames: Uint8Array[] = []
  for (let count = 1 + random.below(4); count > 0; count--) frames.push(frame(random))
  const data = new Uint8Array(Buffer.concat(frames))
  // A single wrong byte, be it in a length or in a message.
  if (random.chance(0.4)) data[random.below(data.length)] = random.below(256)
  return random.chance(0.2) ? data.subarray(0, random.below(data.length)) : data
}

function frame(random: Random): Uint8Array {
  const pieces: Uint8Array[] = []
  for (let count = random.chance(0.5) ? 1 : random.below(12); count > 0; count--) pieces.push(random.pick(WORDS))
  if (random.chance(0.1)) pieces.push(...Array.from({ length: random.below(200) }, () => random.pick(WORDS)))
  if (random.chance(0.1)) {
    const word = random.pick(WORDS)
    pieces.push(...Array.from({ length: random.below(300) }, () => word))
  }
  const message = new Uint8Array(Buffer.concat(pieces))
  return framed(message, random.chance(0.9) ? undefined : random.below(2 ** random.below(36)))
}
