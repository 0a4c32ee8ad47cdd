import { randomFillSync } from 'node:crypto'

const ID_BYTES = 16
/** Drawn at a time: each draw costs as much as the rest of two ids, whatever its size. */
const POOL_IDS = 256

const pool = Buffer.alloc(ID_BYTES * POOL_IDS)
let usedBytes = pool.length

/** Of connections and their tokens: 128 random bits, each used once. Source: SIGNALR 1. */
export function createConnectionId(): string {
  if (usedBytes === pool.length) {
    randomFillSync(pool)
    usedBytes = 0
  }
  const start = usedBytes
  usedBytes += ID_BYTES
  const id = pool.toString('base64url', start, usedBytes)
  // Ids are secrets: none stays here once it is given out.
  pool.fill(0, start, usedBytes)
  return id
}
