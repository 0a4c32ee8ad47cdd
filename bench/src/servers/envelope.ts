import { randomUUID } from 'node:crypto'

/** What pages get, in every server of the table: the message with its position. */
export interface Message {
  Id: string
  Header: { Sender: string }
  Body: string
  Position: string
}

let offset = 0

export function createMessage(sender: string, body: string): Message {
  offset += 1
  return { Id: randomUUID(), Header: { Sender: sender }, Body: body, Position: `bench-epoch0:${offset}` }
}

/** The message as SignalR's JSON protocol frames it. */
export function signalRFrame(message: Message): string {
  return `${JSON.stringify({ type: 1, target: 'ServerMessage', arguments: [message] })}\x1e`
}
