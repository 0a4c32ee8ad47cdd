import type { QueryTransaction } from './outbox.ts'

/**
 * Runs one statement in a transaction of the application's.
 *
 * @throws TypeError where the driver does not say how it went; else what the driver says, as it is
 */
export async function runQuery(transaction: QueryTransaction, text: string, params: unknown[]): Promise<void> {
  const answer: unknown = transaction.query(text, params)
  if (typeof (answer as PromiseLike<unknown> | null | undefined)?.then !== 'function') {
    throw new TypeError("The transaction's 'query' has to give a promise: a post could fail without anybody knowing.")
  }
  await answer
}

/** What a driver said, where another library has wrapped it: the first that the finder finds something in. */
export function findInCauses<Found>(error: unknown, find: (error: object) => Found | undefined): Found | undefined {
  let each = error
  for (let depth = 0; depth < 5 && typeof each === 'object' && each !== null; depth++) {
    const found = find(each)
    if (found !== undefined) return found
    const { cause, driverError } = each as { readonly cause?: unknown; readonly driverError?: unknown }
    each = cause ?? driverError
  }
  return undefined
}
