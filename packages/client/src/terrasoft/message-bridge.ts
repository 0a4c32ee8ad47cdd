import { type Message, type MessageHeader, parsePosition } from '@serverchannel/protocol'
import { createEnvironment, type Environment } from '../environment.ts'
import { EventName } from './constants.ts'
import { decodeBody } from './decode-body.ts'
import { NotImplementedException, NullOrEmptyException } from './exceptions.ts'
import { isObject } from './is-object.ts'
import { MessageDirectionType, MessageMode } from './message-declaration.ts'
import type { SavedMessage } from './message-history.ts'
import type { Listenable } from './observable.ts'
import type { Sandbox } from './sandbox.ts'

/** Which sandbox message a channel's message becomes. */
export interface MessageConfig {
  /** The message id that the server posts with. */
  readonly sender: string
  /** Of the sandbox message; the bridge's module has to declare it. */
  readonly messageName: string
  /** While nobody subscribes to the sandbox message, it is saved for whoever does. */
  readonly isSaveHistory?: boolean
}

/** What hooks are told besides: the config, and the header of the message that came. */
export interface PublishConfig extends MessageConfig {
  readonly Header: MessageHeader
}

/** What a bridge stands between. */
export interface MessageBridgeParts {
  /** Of the bridge's own module. */
  readonly sandbox: Sandbox
  /** `Terrasoft.ServerChannel`. */
  readonly serverChannel: Listenable
  /** For tests. */
  readonly environment?: Pick<Environment, 'reportError'>
}

/** Published of messages that no config names. */
const OTHER_MESSAGES = 'SocketMessageReceived'

/**
 * Publishes the channel's messages in the sandbox. Hooks are there to be overridden. Source: PARITY 2.3, the documented
 * contract.
 *
 * An object or list is published with the message's `Header` in it, any other value as it is. What no config names is
 * published as `SocketMessageReceived`; there a body that is neither object nor list comes as `{ Header, Body }`.
 *
 * @example
 * class OrderBridge extends ClientMessageBridge {
 *   override init() {
 *     super.init()
 *     this.addMessageConfig({ sender: 'OrderChanged', messageName: 'OrderChanged', isSaveHistory: true })
 *   }
 * }
 */
export class BaseMessageBridge {
  readonly sandbox: Sandbox
  WebSocketMessageConfigs: MessageConfig[] = []
  readonly #serverChannel: Listenable
  readonly #reportError: (error: unknown) => void
  /** How far this page has published each sandbox message: what another tab saved may have been published here. */
  readonly #published = new Map<string, string>()
  readonly #replaying = new Set<string>()
  /** Names of messages that were saved while older ones of that name were published. */
  readonly #cameMeanwhile = new Set<string>()
  #stopWatching: (() => void) | undefined
  /** The same at each `init`, so that it is added once. What a hook returns stops nobody else's handler. */
  readonly #receive = (scope: unknown, message: Message): void => {
    this.onMessageReceived(scope, message)
  }

  constructor({ sandbox, serverChannel, environment = createEnvironment() }: MessageBridgeParts) {
    this.sandbox = sandbox
    this.#serverChannel = serverChannel
    this.#reportError = (error) => environment.reportError(error)
  }

  /** Begins, without configs. May be called again. */
  init(): void {
    this.WebSocketMessageConfigs = []
    this.sandbox.registerMessages({
      [OTHER_MESSAGES]: { mode: MessageMode.BROADCAST, direction: MessageDirectionType.PUBLISH },
    })
    this.#serverChannel.on(EventName.ON_MESSAGE, this.#receive)
    this.#stopWatching ??= this.sandbox.whenSubscribed((name) => this.#replayLater(name))
  }

  /** Ends it; its module's declarations stay. */
  destroy(): void {
    this.#serverChannel.un(EventName.ON_MESSAGE, this.#receive)
    this.#stopWatching?.()
    this.#stopWatching = undefined
  }

  /** @throws NullOrEmptyException without a sender or a name. */
  addMessageConfig(config: MessageConfig): void {
    for (const name of ['sender', 'messageName'] as const) {
      if (!config[name]) throw new NullOrEmptyException(`A message config needs a ${name}.`)
    }
    this.WebSocketMessageConfigs.push(config)
    this.#replayLater(config.messageName)
  }

  /** @deprecated as in the original: use `addMessageConfig`. */
  concatMessageConfigs(configs: readonly MessageConfig[]): void {
    for (const config of configs) this.addMessageConfig(config)
  }

  /** Handles a message of the channel. */
  onMessageReceived(_scope: unknown, { Header, Body, Position }: Message): void {
    const decoded = decodeBody(Body)
    const configs = this.WebSocketMessageConfigs.filter(({ sender }) => sender === Header.Sender)
    for (const config of configs) {
      const name = config.messageName
      const message = { name, msg: withHeader(decoded, Header), header: Header, position: Position }
      this.#isolated(() => this.#take(config, message))
    }
    if (configs.length > 0) return
    const isPlain = !isObject(decoded)
    this.#isolated(() =>
      this.sandbox.publish(OTHER_MESSAGES, isPlain ? { Header, Body: decoded } : withHeader(decoded, Header)),
    )
  }

  /** Called before each message that a config names. */
  beforePublishMessage(_sandboxMessageName: string, _webSocketBody: unknown, _publishConfig: PublishConfig): void {}

  /** Publishes. Returns what the subscriber of a point-to-point message returned. */
  publishMessageResult(sandboxMessageName: string, webSocketBody: unknown): unknown {
    return this.sandbox.publish(sandboxMessageName, webSocketBody)
  }

  /** Called after each message that a config names, with what `publishMessageResult` returned. */
  afterPublishMessage(
    _sandboxMessageName: string,
    _webSocketBody: unknown,
    _result: unknown,
    _publishConfig: PublishConfig,
  ): void {}

  /** Whether anybody would get the sandbox message. */
  getSandboxMessageListenerExists(sandboxMessageName: string): boolean {
    return this.sandbox.hasSubscriber(sandboxMessageName)
  }

  /** Keeps a message for later: its body, and in `saved` what else is known of it. */
  saveMessageToHistory(_sandboxMessageName: string, _webSocketBody: unknown, _saved?: SavedMessage): void {
    throw notImplemented('saveMessageToHistory')
  }

  /** The messages that were kept, in the order in which they came. */
  getMessagesFromHistory(_sandboxMessageName: string): readonly SavedMessage[] {
    throw notImplemented('getMessagesFromHistory')
  }

  deleteSavedMessages(_sandboxMessageName: string): void {
    throw notImplemented('deleteSavedMessages')
  }

  #take(config: MessageConfig, message: SavedMessage): void {
    const { messageName, isSaveHistory } = config
    if (!isSaveHistory) {
      this.#publish(config, message)
      return
    }
    const isReplaying = this.#replaying.has(messageName)
    if (!isReplaying) this.#replay(config)
    // Another tab may have saved it before it came here.
    if (this.#wasPublished(message)) return
    if (isReplaying || !this.getSandboxMessageListenerExists(messageName)) this.#save(message)
    else this.#publish(config, message)
  }

  #save(message: SavedMessage): void {
    this.#cameMeanwhile.add(message.name)
    this.saveMessageToHistory(message.name, message.msg, message)
  }

  #publish(config: MessageConfig, { name, msg, header, position }: SavedMessage): void {
    if (position !== undefined) this.#published.set(name, position)
    const publishConfig = { ...config, Header: header ?? { Sender: config.sender } }
    this.beforePublishMessage(name, msg, publishConfig)
    const result = this.publishMessageResult(name, msg)
    this.afterPublishMessage(name, msg, result, publishConfig)
  }

  /** In a turn of its own, so that a page that subscribes in its `init` has finished that before it is called. */
  #replayLater(name: string): void {
    const config = this.WebSocketMessageConfigs.find((each) => each.isSaveHistory && each.messageName === name)
    if (config) queueMicrotask(() => this.#isolated(() => this.#replay(config)))
  }

  /** Publishes what was saved, in order, for as long as somebody listens; what comes in the meantime goes behind it. */
  #replay(config: MessageConfig): void {
    const { messageName: name } = config
    if (this.#replaying.has(name) || !this.getSandboxMessageListenerExists(name)) return
    this.#replaying.add(name)
    try {
      do {
        this.#cameMeanwhile.delete(name)
        this.#replaySaved(config)
      } while (this.#cameMeanwhile.has(name) && this.getSandboxMessageListenerExists(name))
    } finally {
      this.#replaying.delete(name)
    }
  }

  #replaySaved(config: MessageConfig): void {
    const { messageName: name } = config
    const saved = this.getMessagesFromHistory(name)
    if (saved.length === 0) return
    this.deleteSavedMessages(name)
    for (const message of saved) {
      if (this.#wasPublished(message)) continue
      // Whoever listened may have gone with the message before.
      if (this.getSandboxMessageListenerExists(name)) this.#isolated(() => this.#publish(config, fromJson(message)))
      else this.saveMessageToHistory(name, message.msg, message)
    }
  }

  #wasPublished({ name, position }: SavedMessage): boolean {
    const last = parsePosition(this.#published.get(name) ?? '')
    const own = parsePosition(position ?? '')
    return last !== undefined && own !== undefined && last.epoch === own.epoch && own.offset <= last.offset
  }

  /** What goes wrong with one message keeps no other from being handled. */
  #isolated(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#reportError(error)
    }
  }
}

/** A copy: the channel's other handlers get the body as it was posted. */
function withHeader(decoded: unknown, Header: MessageHeader): unknown {
  if (Array.isArray(decoded)) return Object.assign([...(decoded as unknown[])], { Header })
  return isObject(decoded) ? { ...decoded, Header } : decoded
}

/** JSON leaves the header of a list out. */
function fromJson(message: SavedMessage): SavedMessage {
  return message.header ? { ...message, msg: withHeader(message.msg, message.header) } : message
}

function notImplemented(method: string): NotImplementedException {
  return new NotImplementedException(`A bridge that saves messages defines ${method}(); ClientMessageBridge does.`)
}
