import { openEventStream, openLongPolling, openServerSentEvents, openWebSocket } from './transport-clients.ts'
import { describeTransport } from './transport-contract.ts'

describeTransport('WebSockets', openWebSocket)
describeTransport('ServerSentEvents', openServerSentEvents)
describeTransport('LongPolling', openLongPolling, { hasNoPings: 'A poll that waits tells that its client lives (L4)' })
describeTransport('EventStream', openEventStream, {
  takesNothing: 'An event stream only listens',
  saysNoReconnect: 'EventSource comes back by itself unless it gets 204 or an error',
})
