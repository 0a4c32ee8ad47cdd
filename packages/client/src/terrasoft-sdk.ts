import { MessageChannelService, MessageChannelType } from './terrasoft/message-channel-service.ts'
import type { ServerChannel } from './terrasoft/server-channel.ts'

export type { MessageChannelEvent, MessageChannelService, Subscription } from './terrasoft/message-channel-service.ts'
export {
  createPageHandlers,
  type MessageSubscriber,
  type PageCallbacks,
  type PageHandler,
  type PageRequest,
} from './terrasoft/page-handlers.ts'
export { PageSubscription } from './terrasoft/page-subscription.ts'

/** What pages have of Creatio's SDK for messages. Source: PARITY 2.5. */
export interface Sdk {
  readonly MessageChannelService: new () => MessageChannelService
  readonly MessageChannelType: typeof MessageChannelType
}

/**
 * The names of Creatio's SDK over a `ServerChannel`.
 *
 * @example
 * const sdk = createSdk(Terrasoft.ServerChannel)
 * const subscription = await new sdk.MessageChannelService().subscribe('OrderChanged', (event) => refresh(event.body))
 */
export function createSdk(channel: ServerChannel): Sdk {
  return {
    MessageChannelService: class extends MessageChannelService {
      constructor() {
        super(channel)
      }
    },
    MessageChannelType: { ...MessageChannelType },
  }
}
