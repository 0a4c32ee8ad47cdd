import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ServerChannel } from 'serverchannel'
import { ApprovalRun, type ApprovalState } from './approval-run.ts'
import type { Orders } from './orders.ts'
import { Problem } from './problem.ts'

export interface ApprovalsParts {
  readonly orders: Orders
  readonly channel: Pick<ServerChannel, 'postMessageToAll'>
  /** The process: a BPMN 2.0 file, read anew for each run, so that a change to it is seen at once. */
  readonly processFile: string | URL
  readonly stepMs: number
}

/** The approval processes: at most one at a time for an order. They live in memory; a restart forgets them. */
export class Approvals {
  readonly #parts: ApprovalsParts
  /** The last run of each order. */
  readonly #runs = new Map<number, ApprovalRun>()

  constructor(parts: ApprovalsParts) {
    this.#parts = parts
  }

  /** Null where the order has had no process since the start of the server. */
  state(orderId: number): ApprovalState | null {
    return this.#runs.get(orderId)?.state ?? null
  }

  isOpen(orderId: number): boolean {
    return this.#runs.get(orderId)?.isOpen ?? false
  }

  /** @throws Problem 404, and 409 where the order is approved or on its way */
  async start(orderId: number, user: string): Promise<ApprovalState> {
    const { orders, channel, processFile, stepMs } = this.#parts
    const source = await readFile(processFile, 'utf8')
    if (orders.get(orderId).status === 'Approved') throw new Problem(409, `Order ${orderId} is approved already.`)
    if (this.isOpen(orderId)) throw new Problem(409, `The approval of order ${orderId} is on its way already.`)
    const run = new ApprovalRun({
      run: randomBytes(4).toString('hex'),
      orderId,
      startedBy: user,
      source,
      orders,
      stepMs,
      onStep: (step) => void channel.postMessageToAll('ProcessStep', step),
      onEnd: ({ run: id, step, status, failure }) => {
        if (failure) console.error(`The approval of order ${orderId} failed: ${failure}`)
        void channel.postMessageToAll('ProcessEnded', { orderId, run: id, step, status, failure })
      },
    })
    this.#runs.set(orderId, run)
    await run.start()
    return run.state
  }

  /** Ends the user task "Approve". @throws Problem 409 where the process doesn't wait for it */
  approve(orderId: number, user: string): ApprovalState {
    const run = this.#runs.get(orderId)
    if (!run?.approve(user)) throw new Problem(409, `The approval of order ${orderId} doesn't wait for anybody now.`)
    return run.state
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runs.values()].map((run) => run.stop()))
  }
}
