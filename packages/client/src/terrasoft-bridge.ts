export { createMessageBridge, type MessageBridgeSchema, type SchemaBridge } from './terrasoft/bridge-schema.ts'
export { ClientMessageBridge, type ClientMessageBridgeParts } from './terrasoft/client-message-bridge.ts'
export { NotImplementedException, NullOrEmptyException, UnsupportedTypeException } from './terrasoft/exceptions.ts'
export {
  BaseMessageBridge,
  type MessageBridgeParts,
  type MessageConfig,
  type PublishConfig,
} from './terrasoft/message-bridge.ts'
export { type MessageDeclaration, MessageDirectionType, MessageMode } from './terrasoft/message-declaration.ts'
export type { HistoryStorage, SavedMessage } from './terrasoft/message-history.ts'
export { type Sandbox, Sandboxes, type SandboxHandler, type Tags } from './terrasoft/sandbox.ts'
