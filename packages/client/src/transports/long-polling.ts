import { openRequests } from './requests.ts'
import type { TransportKind } from './transport.ts'

/** A poll is answered after 90 s, data or not. */
const POLL_TIMEOUT_MS = 100_000

/** What comes from the server answers a request that waits for it. Source: SIGNALR 2.6. */
export const longPolling: TransportKind = {
  name: 'long-polling',
  silenceMs: POLL_TIMEOUT_MS,
  isTextOnly: false,
  open: (attempt, listener) =>
    openRequests(attempt, listener, 'LongPolling', true, async (ask) => {
      // The first one is answered at once, and makes the connection.
      await ask()
      listener.onOpen()
      for (let response = await ask(); response.status !== 204; response = await ask()) {
        // An answer without data is one too: the server lives.
        listener.onData(await (attempt.codec.isBinary ? response.arrayBuffer() : response.text()))
      }
    }),
}
