import { Failure } from './check.ts'

/**
 * MessagePack as far as SignalR needs it: written anew, so that what judges a server shares nothing with it.
 * Source: the MessagePack specification.
 */
export function encode(value: unknown): Buffer {
  if (value === null || value === undefined) return Buffer.of(0xc0)
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2)
  if (typeof value === 'number') return encodeNumber(value)
  if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    return Buffer.concat([head(bytes.length, [0xa0, 31], [0xd9, 0xda, 0xdb]), bytes])
  }
  if (value instanceof Uint8Array) return Buffer.concat([head(value.length, undefined, [0xc4, 0xc5, 0xc6]), value])
  if (Array.isArray(value)) {
    return Buffer.concat([head(value.length, [0x90, 15], [undefined, 0xdc, 0xdd]), ...value.map(encode)])
  }
  const entries = Object.entries(value)
  const parts = entries.flatMap(([key, item]) => [encode(key), encode(item)])
  return Buffer.concat([head(entries.length, [0x80, 15], [undefined, 0xde, 0xdf]), ...parts])
}

function encodeNumber(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 128) return Buffer.of(value)
  if (Number.isInteger(value) && value >= -32 && value < 0) return Buffer.of(256 + value)
  const bytes = Buffer.alloc(9)
  if (Number.isSafeInteger(value)) {
    bytes[0] = 0xd3
    bytes.writeBigInt64BE(BigInt(value), 1)
  } else {
    bytes[0] = 0xcb
    bytes.writeDoubleBE(value, 1)
  }
  return bytes
}

/** The first bytes of what has a length: of the short form, or with 1, 2 or 4 bytes of length. */
function head(
  length: number,
  short: readonly [first: number, max: number] | undefined,
  [one, two, four]: readonly [number | undefined, number, number],
): Buffer {
  if (short && length <= short[1]) return Buffer.of(short[0] + length)
  if (one !== undefined && length < 0x100) return Buffer.of(one, length)
  const bytes = Buffer.alloc(length < 0x1_0000 ? 3 : 5)
  bytes[0] = length < 0x1_0000 ? two : four
  bytes.writeUIntBE(length, 1, bytes.length - 1)
  return bytes
}

/** The one value that the bytes are. Timestamps come as dates, binaries as Buffers. */
export function decode(bytes: Buffer): unknown {
  const reader = new Reader(bytes)
  const value = reader.value()
  if (reader.position !== bytes.length) throw new Failure('one MessagePack value', bytes.toString('hex'))
  return value
}

class Reader {
  position = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  value(): unknown {
    const first = this.#uint(1)
    if (first < 0x80) return first
    if (first < 0x90) return this.#map(first & 15)
    if (first < 0xa0) return this.#array(first & 15)
    if (first < 0xc0) return this.#take(first & 31).toString()
    if (first >= 0xe0) return first - 256
    switch (first) {
      case 0xc0:
        return null
      case 0xc2:
      case 0xc3:
        return first === 0xc3
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(1 << (first - 0xc4)))
      case 0xca:
        return this.#take(4).readFloatBE()
      case 0xcb:
        return this.#take(8).readDoubleBE()
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (first - 0xcc))
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE())
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return this.#take(1 << (first - 0xd0)).readIntBE(0, 1 << (first - 0xd0))
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE())
      case 0xd6:
      case 0xd7:
        return this.#timestamp(first === 0xd6 ? 4 : 8)
      case 0xc7:
        return this.#timestamp(this.#uint(1))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#take(this.#uint(1 << (first - 0xd9))).toString()
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(first === 0xdc ? 2 : 4))
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(first === 0xde ? 2 : 4))
      default:
        throw new Failure('MessagePack', this.#bytes.toString('hex'))
    }
  }

  #array(length: number): unknown[] {
    return Array.from({ length: Math.min(length, this.#bytes.length) }, () => this.value())
  }

  #map(length: number): Record<string, unknown> {
    const entries = Array.from({ length: Math.min(length, this.#bytes.length) }, () => [this.value(), this.value()])
    return Object.fromEntries(entries) as Record<string, unknown>
  }

  #timestamp(length: number): Date {
    if (this.#take(1).readInt8() !== -1) throw new Failure('no extension but timestamps', this.#bytes.toString('hex'))
    const data = this.#take(length)
    if (length === 4) return new Date(data.readUInt32BE() * 1000)
    if (length === 12) return new Date(Number(data.readBigInt64BE(4)) * 1000 + data.readUInt32BE() / 1e6)
    const both = data.readBigUInt64BE()
    return new Date(Number(both & 0x3_ffff_ffffn) * 1000 + Number(both >> 34n) / 1e6)
  }

  #uint(size: number): number {
    return this.#take(size).readUIntBE(0, size)
  }

  #take(length: number): Buffer {
    const end = this.position + length
    if (end > this.#bytes.length) throw new Failure('whole MessagePack', this.#bytes.toString('hex'))
    const part = this.#bytes.subarray(this.position, end)
    this.position = end
    return part
  }
}
