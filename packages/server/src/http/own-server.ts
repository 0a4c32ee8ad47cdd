import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ChannelError } from '../channel/channel-error.ts'
import { sendProblem } from '../transports/answer.ts'
import type { Routes } from './routes.ts'

/** A server that has nothing but the channel, its hubs and its health, with bounds on slow and large requests. */
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

/**
 * Connections that wait to be accepted: as many as the kernel keeps (`net.core.somaxconn`). With Node's 511, of thousands of
 * clients that come back at once most ask again after one second, three, seven, fifteen, thirty-one.
 */
const BACKLOG = 65_535

/**
 * Rejects where the port can't be had.
 *
 * @param onError told of a connection that can't be accepted, as where the process is out of file descriptors: that ends nothing
 */
export function listenOn(
  server: Server,
  { port, host }: { readonly port: number; readonly host: string },
  onError: (error: Error) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off('error', reject)
      server.on('error', onError)
      resolve()
    })
  })
}

export function addressOf(server: Server): { readonly host: string; readonly port: number; readonly url: string } {
  const { address, family, port } = server.address() as AddressInfo
  const name = family === 'IPv6' ? `[${address}]` : address
  return { host: address, port, url: `http://${name}:${port}` }
}
