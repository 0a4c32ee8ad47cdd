import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServerChannel, type ServerChannel, type ServerChannelOptions } from 'serverchannel'

/** A page that shows nothing: `open(options)` connects, `got` and `told` are what came. */
const PAGE = `<!doctype html>
<title>Client</title>
<script src="/msg/serverchannel.js"></script>
<script>
  var got = [], told = [], gaps = []
  function open(options) {
    var user = new URLSearchParams(location.search).get('user')
    window.channel = ServerChannel.connect('/msg' + (user ? '?user=' + user : ''), options)
    channel.onMessage(function (message) { got.push(message.Body) })
    channel.onStateChange(function (state, change) { told.push(state + (change.recovered === undefined ? '' : ' ' + change.recovered)) })
    channel.onGap(function (gap) { gaps.push(gap.reason) })
    return channel.ready()
  }
</script>`

/** Pages with a channel on one port, and a network that can be made bad. */
export interface ClientServer {
  readonly url: string
  readonly channel: ServerChannel
  /** Requests for a WebSocket that came, those refused too. */
  upgrades: number
  /** Whether WebSockets are refused, as by a proxy that does not know them. */
  blocksWebSockets: boolean
  /** Ends every connection without a word. */
  cut(): void
  close(): Promise<void>
}

export async function startClientServer(options: ServerChannelOptions = {}): Promise<ClientServer> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (path !== '/' && path !== '/other') response.writeHead(404).end()
    else response.writeHead(200, { 'Content-Type': 'text/html' }).end(path === '/' ? PAGE : '<title>Other</title>')
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  const channel = await createServerChannel({ development: true, ...options })
  channel.attach(server)
  const attached = server.listeners('upgrade') as ((request: IncomingMessage, ...rest: unknown[]) => void)[]
  server.removeAllListeners('upgrade')
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    scene.upgrades++
    if (scene.blocksWebSockets) socket.destroy()
    else for (const listener of attached) listener(request, socket, head)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const scene: ClientServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    channel,
    upgrades: 0,
    blocksWebSockets: false,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      await channel.close()
      server.closeAllConnections()
      await closed
    },
  }
  return scene
}
