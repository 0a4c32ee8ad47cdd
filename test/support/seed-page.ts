import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServerChannel, type ServerChannel } from 'serverchannel'

/** The seed's page code, to the letter, with what a test wants to see of it. */
const PAGE = `<!doctype html>
<title>Seed</title>
<script src="/msg/serverchannel.js"></script>
<script>
  var handled = []
  var opened = []
  var arrived = []
  var page = {
    init: function() {
      Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this);
    },
    onServerMessageReceived: function(scope, message) {
      var sender = message && message.Header.Sender;
      if (sender === "SomeMessageId") {
        var value = message.Body;
        handled.push({ value: value, isArray: Array.isArray(value), isOwnThis: this === page, isChannel: scope === Terrasoft.ServerChannel });
      }
    },
    destroy: function() {
      Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this);
    }
  }
  Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_CONNECTION_INITIALIZED, function(channel, state) { opened.push(state) }, page);
  Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, function(channel, message) { arrived.push(message.Body) }, arrived);
  page.init()
</script>`

/** A server with the seed's page and a channel, both on one port. */
export interface SeedServer {
  readonly port: number
  readonly channel: ServerChannel
  close(): Promise<void>
}

export async function startSeedServer(port = 0): Promise<SeedServer> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/') {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE)
  })
  const channel = await createServerChannel({ development: true })
  channel.attach(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    channel,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      await channel.close()
      server.closeAllConnections()
      await closed
    },
  }
}
