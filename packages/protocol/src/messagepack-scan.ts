import { scanUtf8 } from './messagepack-text.ts'
import { ProtocolError } from './protocol-error.ts'

/** What a scan found; several are or-ed together. */
export const Finding = {
  /** A value of bytes. */
  Binary: 1,
  /** A half of a surrogate pair, which is not UTF-8 but written by some encoders. */
  Surrogates: 2,
  /** A map key `__proto__`, which the decoder refuses, since an assignment to it would not make a property. */
  ProtoKey: 4,
} as const

/**
 * Walks a MessagePack value before anything is decoded, in time of its length and without allocating: so a few bytes
 * that declare much cost little. Every declared length and count is held against the bytes that remain; all values that
 * are still owed together, too, so that the decoder never makes more places than there are bytes.
 *
 * In the kinds of findings that `mended` names it replaces what it finds with bytes of the same number: halves of
 * surrogate pairs with U+FFFD, keys `__proto__` with three halves, which after that are in no other text.
 *
 * @returns the findings, or-ed
 * @throws ProtocolError `too-deep`; `malformed` where it is not one whole value, a text is not UTF-8, a map's key is no
 * string, or an extension is no timestamp
 */
export function scanMessagePack(bytes: Uint8Array, depthMax: number, mended = 0): number {
  let position = 0
  let depth = 0
  /** Values declared, and not walked yet. */
  let owed = 1
  let findings = 0
  left[0] = 1
  while (owed > 0) {
    while (left[depth] === 0) depth--
    const leftHere = left[depth] ?? 0
    const isKey = leftHere < 0 && leftHere % 2 === 0
    left[depth] = leftHere < 0 ? leftHere + 1 : leftHere - 1
    owed--

    const head = bytes[position] ?? UNUSED_HEAD
    const form = FORMS[head]
    const width = LENGTH_WIDTHS[head] ?? 0
    const count = width === 0 ? (COUNTS[head] ?? 0) : unsigned(bytes, position + 1, width)
    position += 1 + width
    const isContainer = form === Form.Array || form === Form.Map
    const items = form === Form.Map ? count * 2 : form === Form.Array ? count : 0
    const size = isContainer ? 0 : form === Form.Extension ? count + 1 : count
    owed += items
    if (position + size + owed > bytes.length) throw malformed('The message ends before its values do.')
    if (isKey && form !== Form.Text) throw malformed("A map's key is not a string.")

    switch (form) {
      case Form.Array:
      case Form.Map:
        depth++
        if (depth > depthMax) throw new ProtocolError('too-deep', `The message nests deeper than ${depthMax} levels.`)
        if (depth === left.length) growLeft()
        left[depth] = form === Form.Map ? -items : items
        break
      case Form.Text:
        if (isKey && isProtoKey(bytes, position, size)) {
          findings |= Finding.ProtoKey
          if (mended & Finding.ProtoKey) bytes.set(PROTO_STAND_IN, position)
        } else if (scanUtf8(bytes, position, position + size, (mended & Finding.Surrogates) !== 0)) {
          findings |= Finding.Surrogates
        }
        break
      case Form.Binary:
        findings |= Finding.Binary
        break
      case Form.Extension:
        requireTimestamp(bytes[position], count)
        break
      case Form.Unused:
        throw malformed('The message has a byte that begins no value.')
      default:
    }
    position += size
  }
  if (position < bytes.length) throw malformed('Bytes follow the message.')
  return findings
}

/** What the values are that a head byte begins. Source: the MessagePack specification, "Formats". */
const Form = { Scalar: 0, Text: 1, Binary: 2, Extension: 3, Array: 4, Map: 5, Unused: 6 } as const

const UNUSED_HEAD = 0xc1
const FORMS = new Uint8Array(256)
/** By head byte: the bytes of the length or count that follows it. */
const LENGTH_WIDTHS = new Uint8Array(256)
/** By head byte, where no length follows: the bytes that follow, or how many items. */
const COUNTS = new Uint8Array(256)

FORMS[UNUSED_HEAD] = Form.Unused
fixed(0x80, Form.Map, 16)
fixed(0x90, Form.Array, 16)
fixed(0xa0, Form.Text, 32)
counted(0xc4, Form.Binary, [1, 2, 4])
counted(0xc7, Form.Extension, [1, 2, 4])
counted(0xd9, Form.Text, [1, 2, 4])
counted(0xdc, Form.Array, [2, 4])
counted(0xde, Form.Map, [2, 4])
COUNTS.set([4, 8, 1, 2, 4, 8, 1, 2, 4, 8], 0xca)
FORMS.fill(Form.Extension, 0xd4, 0xd9)
COUNTS.set([1, 2, 4, 8, 16], 0xd4)

function fixed(head: number, form: number, heads: number): void {
  FORMS.fill(form, head, head + heads)
  for (let count = 0; count < heads; count++) COUNTS[head + count] = count
}

function counted(head: number, form: number, widths: readonly number[]): void {
  FORMS.fill(form, head, head + widths.length)
  LENGTH_WIDTHS.set(widths, head)
}

/**
 * By depth: the values left there; negative in a map, where an even number stands before a key. Kept between scans,
 * which never overlap. Longer only where a limit allows so deep a message and one came.
 */
let left = new Int32Array(128)

function growLeft(): void {
  const grown = new Int32Array(left.length * 2)
  grown.set(left)
  left = grown
}

/** The number; bytes beyond the end count as 0, and what it then measures is beyond the end as well. */
function unsigned(bytes: Uint8Array, position: number, width: number): number {
  let value = 0
  for (let i = position; i < position + width; i++) value = value * 256 + (bytes[i] ?? 0)
  return value
}

const PROTO_KEY = Uint8Array.from('__proto__', (character) => character.charCodeAt(0))
const PROTO_STAND_IN = new Uint8Array([0xed, 0xa0, 0x80, 0xed, 0xa0, 0x80, 0xed, 0xa0, 0x80])

function isProtoKey(bytes: Uint8Array, position: number, size: number): boolean {
  if (size !== PROTO_KEY.length) return false
  for (let i = 0; i < size; i++) if (bytes[position + i] !== PROTO_KEY[i]) return false
  return true
}

function requireTimestamp(type: number | undefined, size: number): void {
  if (type !== 0xff) throw malformed('The message has an extension type other than timestamp.')
  if (size !== 4 && size !== 8 && size !== 12) throw malformed('A timestamp has 4, 8 or 12 bytes.')
}

function malformed(message: string): ProtocolError {
  return new ProtocolError('malformed', message)
}
