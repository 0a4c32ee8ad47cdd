/** The types of hub messages by their number on the wire. Source: SIGNALR 2.8. */
export const MessageType = {
  Invocation: 1,
  StreamItem: 2,
  Completion: 3,
  StreamInvocation: 4,
  CancelInvocation: 5,
  Ping: 6,
  Close: 7,
  Ack: 8,
  Sequence: 9,
} as const

type Headers = Readonly<Record<string, string>>

interface Call {
  readonly target: string
  readonly arguments: readonly unknown[]
  /** Ids of the streams that the caller sends, from the same counter as invocation ids. */
  readonly streamIds?: readonly string[]
  readonly headers?: Headers
}

/** One message of the SignalR hub protocol, whatever it is encoded in. Source: SIGNALR 2.8, HubProtocol.md. */
export type HubMessage =
  | ({ readonly type: 1; readonly invocationId?: string } & Call)
  | { readonly type: 2; readonly invocationId: string; readonly item: unknown; readonly headers?: Headers }
  | {
      readonly type: 3
      readonly invocationId: string
      /** Left out where the method returns nothing; never together with `error`. */
      readonly result?: unknown
      readonly error?: string
      readonly headers?: Headers
    }
  | ({ readonly type: 4; readonly invocationId: string } & Call)
  | { readonly type: 5; readonly invocationId: string; readonly headers?: Headers }
  | { readonly type: 6 }
  | { readonly type: 7; readonly error?: string; readonly allowReconnect?: boolean }
  | { readonly type: 8; readonly sequenceId: number }
  | { readonly type: 9; readonly sequenceId: number }
