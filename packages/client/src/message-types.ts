import type { MessageType } from '@serverchannel/protocol'

// As numbers each, which bundlers put in their place: the table of all of them would be in every page.
export const INVOCATION: typeof MessageType.Invocation = 1
export const STREAM_ITEM: typeof MessageType.StreamItem = 2
export const COMPLETION: typeof MessageType.Completion = 3
export const STREAM_INVOCATION: typeof MessageType.StreamInvocation = 4
export const CANCEL_INVOCATION: typeof MessageType.CancelInvocation = 5
export const PING: typeof MessageType.Ping = 6
export const CLOSE: typeof MessageType.Close = 7
