import type { OutboxRow } from './outbox-row.ts'

/** What the server asks of the process that has the application's database open. Each is answered once, in this order. */
export type ReaderRequest =
  /** `holder` tells this relay from all others. */
  | { readonly type: 'open'; readonly file: string; readonly holder: string }
  | { readonly type: 'take' }
  | {
      readonly type: 'acknowledge'
      readonly numbers: readonly number[]
      /** Why, by the row's number. */
      readonly refused: ReadonlyMap<number, string>
    }

export type ReaderAnswer =
  | { readonly type: 'opened' }
  | { readonly type: 'taken'; readonly rows: readonly OutboxRow[] }
  /** There is nothing, or somebody else takes it: then `more` comes later. */
  | { readonly type: 'none' }
  | { readonly type: 'acknowledged' }
  /** `isOption`: another file has to be named. */
  | { readonly type: 'failed'; readonly reason: string; readonly isOption: boolean }

/** `soon`: something is about to be committed. */
export type ToReader = { readonly request: ReaderRequest } | 'soon'

/** `more`: there may be something to take. */
export type FromReader = { readonly answer: ReaderAnswer } | 'more'
