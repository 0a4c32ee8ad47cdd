import { ClientMessageBridge, type ClientMessageBridgeParts } from './client-message-bridge.ts'
import type { MessageDeclaration } from './message-declaration.ts'

/** What `callParent` is given by the original's schemas: `arguments`. */
type Arguments = ArrayLike<unknown>

/** A bridge as a method of its schema sees it. */
export interface SchemaBridge extends ClientMessageBridge {
  /** Calls the method that this one overrides. Only before the method's first `await`. */
  callParent(args?: Arguments): unknown
}

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>

/** `ClientMessageBridge` as packages extend it: messages, and methods that may call the ones that they override. */
export interface MessageBridgeSchema<Own extends object = Methods> {
  readonly messages?: Readonly<Record<string, MessageDeclaration>>
  readonly methods?: Own & ThisType<SchemaBridge & Own>
}

/**
 * Makes a bridge of schemas, each of which extends the one before, and begins it. Source: PARITY 2.3.
 *
 * @example
 * createMessageBridge({
 *   messages: { OrderChanged: { mode: Terrasoft.MessageMode.BROADCAST, direction: Terrasoft.MessageDirectionType.PUBLISH } },
 *   methods: {
 *     init: function() {
 *       this.callParent(arguments)
 *       this.addMessageConfig({ sender: 'OrderChanged', messageName: 'OrderChanged' })
 *     },
 *   },
 * }, { sandbox, serverChannel: Terrasoft.ServerChannel })
 */
export function createMessageBridge<Own extends object = Methods>(
  schemas: MessageBridgeSchema<Own> | readonly MessageBridgeSchema<Own>[],
  parts: ClientMessageBridgeParts,
): SchemaBridge {
  /** The methods overridden by those that are running, the newest last. */
  const parents: Array<(args: Arguments) => unknown> = []
  const bridge = Object.assign(new ClientMessageBridge(parts), {
    callParent(args: Arguments = []): unknown {
      const parent = parents.at(-1)
      if (!parent) throw new Error('callParent() is for the methods of a schema, before their first await.')
      return parent(args)
    },
  })
  for (const { messages = {}, methods = {} } of [schemas].flat()) {
    bridge.sandbox.registerMessages(messages)
    // The page's own object, of which the types promise this much.
    for (const [name, method] of Object.entries<Methods[string]>(methods)) {
      const overridden: unknown = Reflect.get(bridge, name)
      const parent = (args: Arguments): unknown =>
        typeof overridden === 'function' ? Reflect.apply(overridden, bridge, args) : undefined
      Reflect.set(bridge, name, (...args: never[]): unknown => {
        parents.push(parent)
        try {
          return Reflect.apply(method, bridge, args)
        } finally {
          parents.pop()
        }
      })
    }
  }
  bridge.init()
  return bridge
}
