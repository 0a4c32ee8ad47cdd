import {
  type OpenClient,
  openEventStream,
  openLongPolling,
  openServerSentEvents,
  openWebSocket,
} from './transport-clients.ts'
import { describeTransport, type TransportTraits } from './transport-contract.ts'
import { describeTransportInput } from './transport-contract-input.ts'

const transports: readonly [string, OpenClient, TransportTraits][] = [
  ['WebSockets', openWebSocket, {}],
  ['WebSockets, written to by their handles', openWebSocket, { directWrites: 'handles' }],
  ['WebSockets, written to by their streams', openWebSocket, { directWrites: 'off' }],
  ['ServerSentEvents', openServerSentEvents, {}],
  ['LongPolling', openLongPolling, { hasNoPings: 'A poll that waits tells that its client lives (L4)' }],
  [
    'EventStream',
    openEventStream,
    {
      takesNothing: 'an event stream only listens',
      saysNoReconnect: 'EventSource comes back by itself unless it gets 204 or an error',
    },
  ],
]

for (const [name, open, traits] of transports) {
  describeTransport(name, open, traits)
  describeTransportInput(name, open, traits)
}
