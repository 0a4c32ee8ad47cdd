import { createEnvironment } from '../environment.ts'
import { BaseMessageBridge, type MessageBridgeParts } from './message-bridge.ts'
import { type HistoryStorage, MessageHistory, type SavedMessage } from './message-history.ts'

/** What a {@link ClientMessageBridge} stands between, and where it keeps messages. */
export interface ClientMessageBridgeParts extends MessageBridgeParts {
  /** Default: the browser's `localStorage`. */
  readonly storage?: HistoryStorage | undefined
}

/**
 * A bridge that keeps messages in the browser's storage while nobody subscribes to them: under the key
 * `<messageName>SocketMsgHistory`, up to 1,000 of a name. Source: PARITY 2.3.
 *
 * @example
 * const bridge = new ClientMessageBridge({ sandbox: sandboxes.create('bridge'), serverChannel: Terrasoft.ServerChannel })
 * bridge.sandbox.registerMessages({ OrderChanged: { mode: MessageMode.BROADCAST, direction: MessageDirectionType.PUBLISH } })
 * bridge.init()
 * bridge.addMessageConfig({ sender: 'OrderChanged', messageName: 'OrderChanged', isSaveHistory: true })
 */
export class ClientMessageBridge extends BaseMessageBridge {
  readonly #history: MessageHistory

  constructor(parts: ClientMessageBridgeParts) {
    super(parts)
    const { reportError } = parts.environment ?? createEnvironment()
    this.#history = new MessageHistory(parts.storage ?? browserStorage(), reportError)
  }

  override saveMessageToHistory(sandboxMessageName: string, webSocketBody: unknown, saved?: SavedMessage): void {
    this.#history.add(sandboxMessageName, saved ?? { name: sandboxMessageName, msg: webSocketBody })
  }

  override getMessagesFromHistory(sandboxMessageName: string): readonly SavedMessage[] {
    return this.#history.read(sandboxMessageName)
  }

  override deleteSavedMessages(sandboxMessageName: string): void {
    this.#history.remove(sandboxMessageName)
  }
}

/** Undefined where there is none; where the page may not use it, reading the property throws. */
function browserStorage(): HistoryStorage | undefined {
  try {
    return typeof localStorage === 'object' ? localStorage : undefined
  } catch {
    return undefined
  }
}
