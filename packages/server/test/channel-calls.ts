import type { Channel } from '../src/channel/channel.ts'
import type { Clock } from '../src/channel/clock.ts'
import { createChannelMethods } from '../src/hub/channel-methods.ts'
import { ClientMessages, type ClientMessagesParts } from '../src/hub/client-messages.ts'
import { HubRuntime } from '../src/hub/hub-runtime.ts'
import type { Limits } from '../src/options.ts'

export interface ChannelCallsInit extends Partial<Pick<ClientMessagesParts, 'policy' | 'onError'>> {
  readonly channel: Channel
  readonly limits: Limits
  readonly clock: Clock
}

/** What clients of a channel can call, as a server makes it. */
export function createChannelCalls({ policy = () => false, onError = () => {}, ...rest }: ChannelCallsInit): {
  readonly messages: ClientMessages
  readonly methods: ReturnType<typeof createRuntime>
} {
  let ids = 0
  const parts = { ...rest, policy, onError, createId: () => `made-${++ids}` }
  const messages = new ClientMessages(parts)
  return { messages, methods: createRuntime(parts, messages) }
}

function createRuntime(
  parts: Omit<Parameters<typeof createChannelMethods>[0], 'messages'> & ChannelCallsInit,
  messages: ClientMessages,
) {
  return new HubRuntime(createChannelMethods({ ...parts, messages }), parts)
}
