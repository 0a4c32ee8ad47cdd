import type { NatsLink, StreamMessage } from './nats-link.ts'

/** Where none of so many is there, they are gone. */
const READ_AT_ONCE = 16

/**
 * Reads messages by themselves: those that a consumer left out, since the server that keeps it lacks them. Leaves out
 * what is gone, and ends where much is.
 */
export async function* leftOut(link: NatsLink, fromSeq: number, toSeq: number): AsyncGenerator<StreamMessage> {
  for (let start = fromSeq; start <= toSeq; start += READ_AT_ONCE) {
    const seqs = Array.from({ length: Math.min(READ_AT_ONCE, toSeq - start + 1) }, (_, index) => start + index)
    const found = await Promise.all(seqs.map((seq) => link.read(seq)))
    const messages = found.filter((message) => message !== undefined)
    yield* messages
    if (messages.length === 0) return
  }
}
