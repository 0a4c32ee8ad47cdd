import { leftOut } from './nats-left-out.ts'
import type { NatsLink, StreamFound, StreamMessage } from './nats-link.ts'
import { type LogBounds, NatsLog } from './nats-log.ts'
import { decodeHead, type PieceHead } from './nats-message.ts'

/** The newest message of which a follower was told. */
export interface ToldTo {
  readonly created: string
  readonly seq: number
  readonly writer: string
}

export interface LoadParts {
  readonly link: NatsLink
  readonly bounds: LogBounds
  /** Told of each message that is loaded. */
  readonly onPiece: (head: PieceHead) => void
}

/**
 * Reads anew where everything is: without the bodies. In a cluster a log that looks like another one may be one that could
 * not be asked: where what was told is found in it, it ends there, and what comes after is told as it comes.
 *
 * @throws EngineAway
 */
export async function loadLog(
  { link, bounds, onPiece }: LoadParts,
  found: StreamFound,
  toldTo: ToldTo | undefined,
): Promise<NatsLog> {
  const log = new NatsLog(bounds)
  const told = link.isCluster ? toldTo : undefined
  const beginsAt = found.count > 0 ? found.firstSeq : found.lastSeq + 1
  log.passTo(beginsAt - 1)
  let isThere = false
  const take = (message: StreamMessage): void => {
    if (isThere || message.seq <= log.lastSeq) return
    const head = decodeHead(message.seq, (name) => message.get(name))
    if (!head) {
      log.passTo(message.seq)
      return
    }
    log.apply(head, true)
    onPiece(head)
    isThere = told?.created === found.created && head.seq === told.seq && head.writer === told.writer
  }
  const takeUpTo = async (seq: number): Promise<void> => {
    for await (const message of leftOut(link, log.lastSeq + 1, seq)) take(message)
  }
  await link.readHeads(beginsAt, found.lastSeq, (message) => {
    const isNext = isThere || message.seq <= log.lastSeq + 1
    if (!isNext && link.isCluster) return takeUpTo(message.seq - 1).then(() => take(message))
    take(message)
    return undefined
  })
  if (!isThere && link.isCluster) await takeUpTo(found.lastSeq)
  log.passTo(isThere && told ? told.seq : found.lastSeq)
  return log
}
