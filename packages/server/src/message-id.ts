import { randomUUID } from 'node:crypto'

/**
 * A UUID in one piece: Node's is a rope of some twenty pieces, 490 bytes each time instead of 64, until something looks
 * into it.
 */
export function createMessageId(): string {
  const id = randomUUID()
  id.charCodeAt(0)
  return id
}
