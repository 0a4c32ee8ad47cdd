import { createServer, type Server } from 'node:http'
import { ChannelError } from '../channel/channel-error.ts'
import { sendProblem } from '../transports/answer.ts'
import type { Routes } from './routes.ts'

/** A server that has nothing but the channel on it, and tells who asks for anything else so. */
export function createOwnServer(routes: Routes): Server {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 5_000 },
    (request, response) => {
      if (routes.handle(request, response) || routes.handleHealth(request, response)) return
      sendProblem(response, new ChannelError('not_found', 'There is nothing at this path.'))
    },
  )
  server.maxHeadersCount = 100
  return server
}
