import type { LogState } from '../channel/store.ts'

/** How the log in a file is kept; given to the thread that has it open. */
export interface SqliteLogOptions {
  readonly file: string
  readonly durability: 'logged' | 'synced'
  readonly historyCountMax: number
  readonly historyBytesMax: number
}

/** What the thread is started with. */
export interface ThreadOptions extends SqliteLogOptions {
  /** What is wrong with the file that is there: it is put aside, and a new one begins. Undefined: nothing is. */
  readonly damage: string | undefined
}

/** A draft as the file keeps it. */
export interface Row {
  /** Of an idempotent draft; null: none may be compared with it. */
  readonly id: string | null
  readonly bytes: number
  readonly postedAt: number
  readonly text: string
}

/** An entry as it stands in the file. */
export interface KeptRow {
  readonly offset: number
  readonly text: string
}

/** What the store asks of the thread. Each is answered once, in this order; `oldest`: what was posted before is too old. */
export type Request =
  | { readonly type: 'append'; readonly rows: readonly Row[]; readonly oldest: number }
  | {
      readonly type: 'read'
      readonly after: number
      readonly countMax: number
      readonly bytesMax: number
      readonly oldest: number
    }
  | { readonly type: 'trim'; readonly oldest: number }
  /** Whether it takes appends again. */
  | { readonly type: 'probe' }
  | { readonly type: 'close' }

export type Answer =
  | { readonly type: 'appended'; readonly offsets: readonly number[]; readonly trimmedTo: number }
  | { readonly type: 'read'; readonly rows: readonly KeptRow[]; readonly trimmedTo: number }
  /** `isAll`: there is no more to let go of. */
  | { readonly type: 'trimmed'; readonly trimmedTo: number; readonly isAll: boolean }
  | { readonly type: 'works' }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly reason: string }

/** What the thread says first, once. */
export type Opening =
  | {
      readonly type: 'opened'
      readonly state: LogState
      /** Why it is not simply what it was; undefined where it is. */
      readonly reason: string | undefined
    }
  /** It can't be opened. `isOption`: another file has to be named. `isAside`: what was damaged is out of the way. */
  | { readonly type: 'refused'; readonly reason: string; readonly isOption: boolean; readonly isAside: boolean }
  /** What is in the file can't be trusted. The thread has to end before the file is moved. */
  | { readonly type: 'damaged'; readonly reason: string }

/** What comes later without having been asked for. */
export type Notice =
  | { readonly type: 'damaged'; readonly reason: string }
  /** Undefined: there is none any more. */
  | { readonly type: 'trouble'; readonly reason: string | undefined }

export type FromThread = { readonly answer: Answer } | { readonly opening: Opening } | { readonly notice: Notice }
