import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Authenticate,
  createServerChannel,
  defineHub,
  HubException,
  type ServerChannel,
  type ServerChannelOptions,
  signUserToken,
  upload,
  userTokens,
} from 'serverchannel'
import { createConformanceHub } from './hub.ts'
import { ConformancePages, type ServedHub } from './server-pages.ts'

/**
 * The server that the conformance suite, the trace driver and anybody's SignalR tests run against: on `PORT` (0: one
 * that is free), on loopback. Source: SIGNALR 6.
 */
const tokens = { secret: 'the conformance server signs its tokens with this', audience: 'conformance' }
const TOKEN_LIFE_S = 5

const detailedErrors = process.env['PEER_DETAILED'] === '1'
const verify = userTokens(tokens)
/** Who brings no token, or none that is valid, is nobody in particular; `Secret` is not for him. */
const identifyIfAsked: Authenticate = async (request) => (await verify(request)) ?? {}
const channel = await createServerChannel({
  path: '/channel',
  allowedOrigins: () => true,
  authenticate: identifyIfAsked,
  ...timesFromEnvironment(),
  ...nodesFromEnvironment(),
})
const pages = new ConformancePages({
  hubs: mapHubs(channel),
  createToken: () => signUserToken(tokens, 'testuser', TOKEN_LIFE_S),
})
const server = createServer((request, response) => pages.answer(request, response)).on('upgrade', (request, socket) =>
  pages.answerUpgrade(request, socket),
)
channel.attach(server)
// Before the hubs have answered, because what they answer carries these too.
server.prependListener('request', (request, response) => pages.addCookies(request, response))
server.listen(Number(process.env['PORT'] ?? 5000), '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())

async function close(): Promise<void> {
  await channel.close()
  server.close()
  server.closeAllConnections()
}

function mapHubs(on: ServerChannel): readonly ServedHub[] {
  const hub = createConformanceHub({ defineHub, HubException, upload }, detailedErrors)
  on.mapHub('/authorizedhub', createAuthorizedHub(), { authenticate: verify })
  on.mapConnections('/echo', async (connection) => {
    for await (const data of connection) connection.send(data)
  })
  return [
    on.mapHub('/msg', hub),
    on.mapHub('/testhub', hub),
    on.mapHub('/msg-plain', hub, { statefulReconnect: false, authenticationRefresh: false }),
    on.mapHub('/testhub-nowebsockets', hub, { transports: ['ServerSentEvents', 'LongPolling'] }),
    on.mapHub('/hellohub', {
      ...hub,
      onConnected({ caller }) {
        caller.send('message', { seq: -2 })
        caller.send('message', { seq: -1 })
      },
    }),
  ]
}

interface AuthorizedContract {
  server: { Echo(text: string): string; Who(): string | null }
  client: object
}

function createAuthorizedHub() {
  return defineHub<AuthorizedContract>({
    detailedErrors,
    methods: { Echo: (_, text) => text, Who: ({ user }) => user ?? null },
  })
}

/** `PEER_NODE_URLS=a=http://127.0.0.1:5001,b=http://127.0.0.1:5002`, and which of them this is. */
function nodesFromEnvironment(): ServerChannelOptions {
  const { PEER_NODE: self, PEER_NODE_URLS: urls, PEER_NODE_SECRET: secret } = process.env
  if (!self || !urls || !secret) return {}
  const pairs = urls.split(',').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
  return { nodes: { self, secret, urls: Object.fromEntries(pairs) as Record<string, string> } }
}

function timesFromEnvironment(): ServerChannelOptions {
  const option = (variable: string, name: string, factor: number): object => {
    const text = process.env[variable]
    return text === undefined ? {} : { [name]: Number(text) * factor }
  }
  return {
    ...option('PEER_KEEPALIVE_S', 'keepAliveIntervalMs', 1000),
    ...option('PEER_CLIENT_TIMEOUT_S', 'clientTimeoutMs', 1000),
    ...option('PEER_POLL_S', 'pollTimeoutMs', 1000),
    ...option('PEER_RECONNECT_BUFFER', 'statefulBufferBytes', 1),
  }
}
