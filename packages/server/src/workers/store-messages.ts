import type { Appended, Durability, LogState } from '../channel/store.ts'

/** What a relay store asks of the process that has the log. `number` names the question in its answer. */
export type StoreRequest =
  | { readonly kind: 'open' }
  | { readonly kind: 'append'; readonly number: number; readonly texts: readonly string[] }
  | {
      readonly kind: 'read'
      readonly number: number
      readonly after: number
      readonly countMax: number
      readonly bytesMax: number
    }
  | { readonly kind: 'signal'; readonly text: string }

/** Entries that follow each other. */
export interface Stretch {
  /** Offset of the first. */
  readonly first: number
  /** As `draftToText` writes them. */
  readonly texts: readonly string[]
}

/** What the process that has the log says to a relay store. */
export type StoreNotice =
  | { readonly kind: 'opened'; readonly state: LogState; readonly durability: Durability }
  | ({ readonly kind: 'entries'; readonly trimmedTo: number; readonly trouble: string | undefined } & Stretch)
  | { readonly kind: 'trimmed'; readonly trimmedTo: number; readonly trouble: string | undefined }
  | { readonly kind: 'epoch'; readonly state: LogState }
  | { readonly kind: 'signalled'; readonly text: string }
  | ({ readonly kind: 'appended'; readonly number: number } & Appended)
  | ({ readonly kind: 'found'; readonly number: number; readonly isTrimmed: boolean } & Stretch)
  | { readonly kind: 'failed'; readonly number: number; readonly code: string; readonly message: string }
