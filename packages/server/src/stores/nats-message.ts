import { type Draft, type Entry, toEntry } from '../channel/entry.ts'
import { draftFromText, draftToText } from './draft-text.ts'

/** What one JetStream message says of itself: it holds one piece of the log, all or nothing. */
export interface PieceHead {
  readonly seq: number
  readonly epoch: string
  /** Offset of the first draft; that of the next one, where it holds none. */
  readonly first: number
  /** Of which life of the server its sender knew. */
  readonly life: string
  /** Who wrote it, and as what of its pieces: no other message has both. */
  readonly writer: string
  readonly marks: readonly Mark[]
}

/** What is known of a draft without reading it. */
export interface Mark {
  /** Of its text, in the message. */
  readonly textBytes: number
  /** What it counts for in the bounds of the history. */
  readonly bytes: number
  readonly postedAt: number
  /** The poster's own id. */
  readonly id: string | undefined
}

export type HeaderField = readonly [name: string, value: string]

const EPOCH = 'Channel-Epoch'
const FIRST = 'Channel-First'
const LIFE = 'Channel-Life'
const WRITER = 'Channel-Writer'
const MARKS = 'Channel-Marks'

/** The header fields and the payload of a piece. */
export function encodePiece(
  head: Omit<PieceHead, 'seq' | 'marks'>,
  drafts: readonly Draft[],
): { readonly fields: readonly HeaderField[]; readonly payload: Uint8Array; readonly marks: readonly Mark[] } {
  const texts = drafts.map((draft) => Buffer.from(draftToText(draft)))
  const marks = drafts.map(({ bytes, postedAt, isIdempotent, id }, index) => ({
    textBytes: texts[index]?.length ?? 0,
    bytes,
    postedAt,
    id: isIdempotent ? id : undefined,
  }))
  const fields: readonly HeaderField[] = [
    [EPOCH, head.epoch],
    [FIRST, String(head.first)],
    [LIFE, head.life],
    [WRITER, head.writer],
    [MARKS, marks.map(markToText).join(';')],
  ]
  return { fields, payload: Buffer.concat(texts), marks }
}

/** @returns undefined where no store wrote it */
export function decodeHead(seq: number, get: (name: string) => string): PieceHead | undefined {
  const [epoch, first, life, writer, text] = [get(EPOCH), Number(get(FIRST)), get(LIFE), get(WRITER), get(MARKS)]
  if (epoch === '' || writer === '' || !Number.isSafeInteger(first) || first < 1) return undefined
  const marks = text === '' ? [] : text.split(';').map(markFromText)
  if (marks.some((mark) => mark === undefined)) return undefined
  return { seq, epoch, first, life, writer, marks: marks.filter((mark) => mark !== undefined) }
}

/** The drafts of a message as entries. @throws SyntaxError where the payload is not what the header says */
export function decodeEntries({ first, marks }: PieceHead, payload: Uint8Array): readonly Entry[] {
  let start = 0
  return marks.map(({ textBytes }, index) => {
    const text = Buffer.from(payload.buffer, payload.byteOffset + start, Math.min(textBytes, payload.length - start))
    start += text.length
    return toEntry(draftFromText(text.toString()), first + index)
  })
}

/** Ids may have any character, header values may not. */
function markToText({ textBytes, bytes, postedAt, id }: Mark): string {
  const numbers = `${textBytes},${bytes},${postedAt}`
  return id === undefined ? numbers : `${numbers},${Buffer.from(JSON.stringify(id)).toString('base64url')}`
}

function markFromText(text: string): Mark | undefined {
  const [textBytes = '', bytes = '', postedAt = '', id] = text.split(',')
  const mark = { textBytes: Number(textBytes), bytes: Number(bytes), postedAt: Number(postedAt) }
  if (!Object.values(mark).every((value) => Number.isFinite(value))) return undefined
  try {
    return { ...mark, id: id === undefined ? undefined : String(JSON.parse(Buffer.from(id, 'base64url').toString())) }
  } catch {
    return undefined
  }
}
