import type { Audience } from '../channel/audience.ts'
import type { ErrorText } from './error-text.ts'

/** What is asked of all other nodes; each answers with how many of its connections it was about. */
export type Question =
  | { readonly what: 'group'; readonly connection: string; readonly group: string; readonly isIn: boolean }
  | {
      readonly what: 'hubGroup'
      readonly path: string
      readonly connection: string
      readonly group: string
      readonly isIn: boolean
    }
  | { readonly what: 'userGroup'; readonly user: string; readonly group: string; readonly isIn: boolean }
  | { readonly what: 'disconnect'; readonly connection: string; readonly reason: string }
  | { readonly what: 'disconnectUser'; readonly user: string; readonly reason: string; readonly until: number }
  | { readonly what: 'allowUser'; readonly user: string }

/** Where a node is reached, and the proof that it is one. */
export interface Address {
  readonly name: string
  readonly url: string
  readonly proof: string
}

/** What nodes say to each other. */
export type Signal =
  /** Said again and again: it is there, and has told so much of who is connected. */
  | { readonly kind: 'here'; readonly told: number; readonly address?: Address | undefined }
  | { readonly kind: 'bye' }
  /** The node missed something of what that one told. */
  | { readonly kind: 'retell'; readonly to: string }
  /** Who is connected: from nothing where `isWhole`, else what has changed since. */
  | {
      readonly kind: 'presence'
      readonly told: number
      readonly isWhole: boolean
      readonly come: readonly (readonly [connection: string, user: string])[]
      readonly gone: readonly string[]
      readonly blocked: readonly (readonly [user: string, until: number])[]
    }
  | { readonly kind: 'ask'; readonly number: number; readonly question: Question }
  | {
      readonly kind: 'answer'
      readonly to: string
      readonly number: number
      readonly count: number
      /** A bound that kept it from being done. */
      readonly error?: ErrorText
    }
  /** A call of client methods of the hub at the path: an invocation in MessagePack, as base64. */
  | { readonly kind: 'call'; readonly path: string; readonly audience: Audience; readonly invocation: string }
  /** Asks a client of the hub at the path for a result, whichever node has it. Each answers with an outcome. */
  | {
      readonly kind: 'invoke'
      readonly number: number
      readonly path: string
      readonly connection: string
      readonly timeoutMs: number
      readonly invocation: string
    }
  | { readonly kind: 'outcome'; readonly to: string; readonly number: number; readonly outcome: Outcome }
  /** The node awaits the result of that number no more. */
  | { readonly kind: 'giveUp'; readonly number: number }

/** What became of a client that was asked for a result. */
export type Outcome =
  /** It is not connected to this node. */
  | { readonly is: 'none' }
  /** It is, and was asked; what it answers comes later. */
  | { readonly is: 'taken' }
  /** A completion in MessagePack, as base64. */
  | { readonly is: 'result'; readonly result: string }
  | { readonly is: 'error'; readonly error: ErrorText }
