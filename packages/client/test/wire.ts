import {
  CHANNEL_OWNER_TARGET,
  CHANNEL_STATE_TARGET,
  type ChannelState,
  type HubMessage,
  jsonCodec,
  MessageType,
  SERVER_MESSAGE_TARGET,
} from '@serverchannel/protocol'

/** A hub message as the server writes it. */
export function hubMessage(message: HubMessage): string {
  return jsonCodec.encode(message)
}

/** A message with a position, from the very encoder that the server uses. */
export function serverMessage(sender: string, body: unknown, position: string): string {
  return jsonCodec.encodeServerMessage({ id: `id-${position}`, sender, body: JSON.stringify(body), position })
}

/** A message as servers without positions send it. */
export function foreignMessage(sender: string, body: unknown): string {
  const message = { Id: 'id', Header: { Sender: sender }, Body: body }
  return hubMessage({ type: MessageType.Invocation, target: SERVER_MESSAGE_TARGET, arguments: [message] })
}

export function channelState(
  epoch: string,
  offset: number,
  outcome: Pick<ChannelState, 'recovered' | 'reason'> = {},
): string {
  const state: ChannelState = { epoch, offset, ...outcome }
  return hubMessage({ type: MessageType.Invocation, target: CHANNEL_STATE_TARGET, arguments: [state] })
}

export const PING: string = hubMessage({ type: MessageType.Ping })
export const CLOSE: string = hubMessage({ type: MessageType.Close })

export function channelOwner(owner: string): string {
  return hubMessage({ type: MessageType.Invocation, target: CHANNEL_OWNER_TARGET, arguments: [owner] })
}
