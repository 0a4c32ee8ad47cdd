import { jsonCodec, RECORD_SEPARATOR } from '../src/index.ts'
import { messagePackCodec } from '../src/messagepack.ts'
import { describeCodec, type Wire } from './codec-contract.ts'
import { bytesOf, framed, malformedMessagePack } from './messagepack-bytes.ts'
import type { Random } from './random.ts'

const JSON_WORDS = [
  '{"type":1,"target":"x","arguments":[1]}',
  '{"type":3,"invocationId":"1","result":null}',
  ...['{', '}', '[', ']', '"', '\\', ':', ',', '\x1e', '\x00', 'null', '-0', '1e999', '"type"', '"__proto__"'],
  ...['"headers":', '"target"', '"arguments":', '"\\ud800"', '\ud83d', '\ude00', 'é', ' ', '\n', '7', '1.5'],
]

const jsonWire: Wire<string> = {
  join: (pieces) => pieces.join(''),
  part: (data, start, end) => data.slice(start, end),
  messageBytes: (data) => Buffer.byteLength(data) - 1,
  unknownType: `{"type":99,"target":"x"}${RECORD_SEPARATOR}`,
  broken: `{"type":"broken"}${RECORD_SEPARATOR}`,
  malformed(random: Random) {
    let text = ''
    for (let count = 1 + random.below(12); count > 0; count--) text += random.pick(JSON_WORDS)
    const at = random.below(text.length + 1)
    if (random.chance(0.3)) {
      text = text.slice(0, at) + random.pick(JSON_WORDS).repeat(random.below(200)) + text.slice(at)
    }
    return random.chance(0.8) ? text + RECORD_SEPARATOR : text
  },
}

const messagePackWire: Wire<Uint8Array> = {
  join: (pieces) => new Uint8Array(Buffer.concat(pieces)),
  part: (data, start, end) => data.subarray(start, end),
  messageBytes(data) {
    const lengthBytes = data.findIndex((byte) => byte < 0x80) + 1
    return data.length - lengthBytes
  },
  unknownType: framed(bytesOf('92 63 a1 78')),
  broken: framed(bytesOf('91 a1 78')),
  malformed: malformedMessagePack,
}

describeCodec(jsonCodec, jsonWire)
describeCodec(messagePackCodec, messagePackWire)
