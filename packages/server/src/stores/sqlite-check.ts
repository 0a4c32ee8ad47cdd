import { statSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Database } from './sqlite-database.ts'
import { FileDamaged } from './sqlite-file.ts'
import type { KeptRow } from './sqlite-messages.ts'

/** Files up to this size are read as a whole when they are opened; of larger ones the newest entries are. */
const WHOLE_BYTES_MAX = 268_435_456
const NEWEST_COUNT = 10_000
const PIECE_COUNT = 1000

/** An entry as it is read from the file. */
export interface ReadRow extends KeptRow {
  readonly checksum: number
}

/** Of the text and its place: neither can be another's. */
export function checksumOf(offset: number, text: string): number {
  return crc32(text, offset >>> 0)
}

/** @throws FileDamaged where a row is not what was written, or does not follow the one before */
export function requireWhole(rows: readonly ReadRow[], after: number): void {
  let expected = after
  for (const { offset, text, checksum } of rows) {
    if (offset !== ++expected) throw new FileDamaged(`Entry ${expected} is missing.`)
    if (typeof text !== 'string' || checksumOf(offset, text) !== checksum) {
      throw new FileDamaged(`Entry ${offset} is not what was written.`)
    }
  }
}

/**
 * Holds what the file has against its checksums. What is not looked at here is looked at when it is read.
 *
 * @param removedTo the offset that the first entry follows
 * @throws FileDamaged, or what the library throws
 */
export function checkFile(database: Database, file: string, removedTo: number, head: number): void {
  const isWhole = statSync(file).size <= WHOLE_BYTES_MAX
  if (isWhole) {
    const [first] = database.prepare('PRAGMA quick_check(1)').all() as { readonly quick_check?: unknown }[]
    if (first?.quick_check !== 'ok') throw new FileDamaged(String(first?.quick_check))
  }
  const read = database.prepare(
    `SELECT offset, text, checksum FROM entries WHERE offset > ? ORDER BY offset LIMIT ${PIECE_COUNT}`,
  )
  let after = isWhole ? removedTo : Math.max(removedTo, head - NEWEST_COUNT)
  while (after < head) {
    const rows = read.all(after) as ReadRow[]
    requireWhole(rows, after)
    if (rows.length === 0) throw new FileDamaged(`Entry ${after + 1} is missing.`)
    after += rows.length
  }
}
