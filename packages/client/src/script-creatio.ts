// The build for `<script src="/msg/serverchannel-creatio.js">`: the other script, with the sandbox, the message bridges
// and the names of Creatio's SDK besides.
import { startScript } from './script-start.ts'
import {
  BaseMessageBridge,
  ClientMessageBridge,
  createMessageBridge,
  type MessageBridgeSchema,
  MessageDirectionType,
  MessageMode,
  NotImplementedException,
  NullOrEmptyException,
  type Sandbox,
  Sandboxes,
  type SchemaBridge,
  UnsupportedTypeException,
} from './terrasoft-bridge.ts'
import { createPageHandlers, createSdk } from './terrasoft-sdk.ts'

startScript(({ ServerChannel: serverChannel }) => {
  const sandboxes = new Sandboxes()
  return {
    terrasoft: {
      MessageMode: { ...MessageMode },
      MessageDirectionType: { ...MessageDirectionType },
      BaseMessageBridge,
      ClientMessageBridge,
      NotImplementedException,
      NullOrEmptyException,
      UnsupportedTypeException,
      createSandbox: (id: string): Sandbox => sandboxes.create(id),
      createMessageBridge: <Own extends object>(
        schemas: MessageBridgeSchema<Own> | readonly MessageBridgeSchema<Own>[],
        sandbox: Sandbox = sandboxes.create('ClientMessageBridge'),
      ): SchemaBridge => createMessageBridge(schemas, { sandbox, serverChannel }),
    },
    serverChannel: { ...createSdk(serverChannel), createPageHandlers },
  }
})
