import { defineHub, type HubDefinition } from './hub-definition.ts'

/** What a page of the channel can call. Source: PARITY 3, "hub methods". */
export interface ChannelContract {
  readonly server: {
    /** Whether the channel answers at all. */
    Ping(): string
    /** Sends the message back to the caller, and to nobody else. */
    Echo(message: unknown): void
  }
  readonly client: {
    ServerMessage(message: unknown): void
  }
}

/** The methods of the channel's hub. */
export function createChannelMethods(): HubDefinition<ChannelContract> {
  return defineHub<ChannelContract>({
    methods: {
      Ping: () => 'Pong!',
      Echo: ({ caller }, message) => caller.send('ServerMessage', message),
    },
  })
}
