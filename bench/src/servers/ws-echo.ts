import { createServer } from 'node:http'
import type { Served } from './post-endpoint.ts'
import { createWebSockets, serveWebSockets } from './web-sockets.ts'

/** Sends each frame back as it came. */
export function startWsEcho(): Promise<Served> {
  const webSockets = createWebSockets((client) => {
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }))
  })
  return serveWebSockets(createServer(), webSockets)
}
