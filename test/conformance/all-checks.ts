import type { Check } from './check.ts'
import { closeChecks } from './close-checks.ts'
import { errorChecks } from './error-checks.ts'
import { handshakeChecks } from './handshake-checks.ts'
import { httpChecks } from './http-checks.ts'
import { hubChecks } from './hub-checks.ts'
import { jsonChecks } from './json-checks.ts'
import { longPollingChecks } from './long-polling-checks.ts'
import { messagePackChecks } from './messagepack-checks.ts'
import { negotiateChecks } from './negotiate-checks.ts'
import { nodeChecks } from './node-checks.ts'
import { postChecks } from './post-checks.ts'
import { reconnectChecks } from './reconnect-checks.ts'
import { refreshChecks } from './refresh-checks.ts'
import { sseChecks } from './sse-checks.ts'
import { streamChecks } from './stream-checks.ts'
import { webSocketChecks } from './websocket-checks.ts'

/** In the order of the specification; its last checks end the server, so what ends another node comes before. */
export const allChecks: readonly Check[] = [
  ...negotiateChecks,
  ...httpChecks,
  ...postChecks,
  ...webSocketChecks,
  ...sseChecks,
  ...longPollingChecks,
  ...handshakeChecks,
  ...jsonChecks,
  ...errorChecks,
  ...streamChecks,
  ...nodeChecks,
  ...closeChecks,
  ...reconnectChecks,
  ...refreshChecks,
  ...messagePackChecks,
  ...hubChecks,
]
