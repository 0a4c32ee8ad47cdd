import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  createServerChannel,
  defineHub,
  type MappedHub,
  type ServerChannel,
  type ServerChannelOptions,
} from '../../packages/server/src/index.ts'
import { collectLogged } from '../../packages/server/test/collecting-logger.ts'
import { type ConformanceContract, createConformanceHub } from '../../packages/server/test/conformance-hub.ts'

/** How long a server that serves idle clients is silent, and they to it, before either gives the other up. */
export const IDLE = { keepAliveIntervalMs: 200, timeoutMs: 1500, pollTimeoutMs: 300 }

interface TellContract {
  server: {
    ToOthers(text: string): void
    ToOthersInGroup(group: string, text: string): void
    ToCaller(text: string): void
    Join(group: string): void
    Leave(group: string): void
  }
  client: { Called(text: string): void }
}

/** Methods that call clients as they are seen by one of them. */
const tellHub = defineHub<TellContract>({
  methods: {
    ToOthers: ({ clients }, text) => clients.others.send('Called', text),
    ToOthersInGroup: ({ clients }, group, text) => clients.othersInGroup(group).send('Called', text),
    ToCaller: ({ caller }, text) => caller.send('Called', text),
    Join: ({ groups, connectionId }, group) => void groups.add(connectionId, group),
    Leave: ({ groups, connectionId }, group) => void groups.remove(connectionId, group),
  },
})

/** A server with the hubs that stock clients are tried on. */
export interface StockServer {
  readonly port: number
  /** The hub of SIGNALR 6, at `/testhub`; whoever has a token is the user of its name. */
  readonly hub: MappedHub<ConformanceContract>
  /** At `/tell`. */
  readonly tell: MappedHub<TellContract>
  readonly channel: ServerChannel
  /** All that was asked over HTTP; upgrades are not among them. */
  readonly requests: readonly IncomingMessage[]
  /** Texts of the errors that it logged. */
  readonly logged: readonly string[]
  close(): Promise<void>
}

/**
 * Serves them on a port that is free, or on a given one. `/locked` takes nobody without a token; what is asked at
 * `/elsewhere` is told to go on at `/testhub`, as the user `redirected`.
 */
export async function openStockServer(
  options: ServerChannelOptions = {},
  port = 0,
  answerPage?: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<StockServer> {
  const requests: IncomingMessage[] = []
  const logged: string[] = []
  const http = createServer((request, response) => {
    if (request.url?.startsWith('/elsewhere/negotiate')) {
      const { port: ownPort } = http.address() as AddressInfo
      redirect(request, response, `http://127.0.0.1:${ownPort}/testhub`)
    } else if (!answerPage?.(request, response)) response.writeHead(404).end()
  })
  const channel = await createServerChannel({
    logger: collectLogged(logged),
    keepAliveIntervalMs: IDLE.keepAliveIntervalMs,
    clientTimeoutMs: IDLE.timeoutMs,
    pollTimeoutMs: IDLE.pollTimeoutMs,
    authenticate: (request) => {
      const user = tokenOf(request)
      return user === undefined ? {} : { user }
    },
    ...options,
  })
  const hub = channel.mapHub('/testhub', createConformanceHub())
  const tell = channel.mapHub('/tell', tellHub)
  channel.mapHub('/locked', createConformanceHub(), {
    authenticate: (request) => {
      const user = tokenOf(request)
      return user === undefined ? null : { user }
    },
  })
  channel.attach(http)
  http.prependListener('request', (request) => requests.push(request))
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (http.address() as AddressInfo).port,
    hub,
    tell,
    channel,
    requests,
    logged,
    async close() {
      // It listens until the clients are gone: those that poll ask once more.
      await channel.close()
      const closed = new Promise((resolve) => http.close(resolve))
      http.closeAllConnections()
      await closed
    },
  }
}

/** Tells who negotiates to do so at another place. Pages of any origin may ask. */
function redirect({ headers }: IncomingMessage, response: ServerResponse, url: string): void {
  response.setHeader('Access-Control-Allow-Origin', headers.origin ?? '*')
  response.setHeader('Access-Control-Allow-Credentials', 'true')
  response.setHeader('Access-Control-Allow-Headers', headers['access-control-request-headers'] ?? '')
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ url, accessToken: 'redirected' }))
}

function tokenOf({ headers, url = '' }: IncomingMessage): string | undefined {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  return bearer ?? new URLSearchParams(url.split('?')[1] ?? '').get('access_token') ?? undefined
}
