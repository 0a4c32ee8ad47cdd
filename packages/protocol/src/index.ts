export type { Codec, CodecReader, Envelope, ReadLimits } from './codec.ts'
export {
  type BodyOf,
  defineMessages,
  findIssues,
  type MessageContract,
  type NoContract,
  type SenderOf,
} from './contract.ts'
export {
  encodeHandshakeRequest,
  encodeHandshakeResponse,
  type HandshakeRequest,
  type HandshakeResponse,
  parseHandshakeRequest,
  parseHandshakeResponse,
  splitHandshake,
} from './handshake.ts'
export type {
  HubContract,
  InvocableName,
  MethodArguments,
  MethodName,
  MethodResult,
  StreamItem,
  StreamingName,
} from './hub-contract.ts'
export { type HubMessage, MessageType } from './hub-message.ts'
export { encodeMessage, jsonCodec } from './json-codec.ts'
export { isJsonTooDeep } from './json-depth.ts'
export {
  CHANNEL_OWNER_TARGET,
  CHANNEL_STATE_TARGET,
  type ChannelState,
  type LossReason,
  type Message,
  type MessageHeader,
  type MessageOrigin,
  SERVER_MESSAGE_TARGET,
} from './message.ts'
export { formatPosition, type Position, parsePosition } from './position.ts'
export { ProtocolError } from './protocol-error.ts'
export { RECORD_SEPARATOR } from './text-framing.ts'
