import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { allConnections, createServerChannel, ownConnections, type ServerChannel } from 'serverchannel'

/** A page with all of Creatio's names, for the user that its own url names. */
const PLAIN = `<!doctype html>
<title>Plain</title>
<script>
  document.write('<script src="/msg/serverchannel-creatio.js' + location.search + '"></' + 'script>')
</script>
<script>
  var got = { message: [], opened: [], closed: [], error: [], BroadcastMsg: [], PTPMsg: [] }
  Object.keys(got).forEach(function(name) {
    Terrasoft.ServerChannel.on(name, function(scope, detail) { got[name].push(detail) }, got)
  })
</script>`

/** The same by RequireJS, as pages of Creatio are loaded, with the other global's name. */
const AMD = `<!doctype html>
<title>AMD</title>
<script src="/require.js"></script>
<script>
  var got = { message: [] }
  define('OrderPage', ['serverchannel'], function(serverchannel) {
    return {
      init: function() {
        BPMSoft.ServerChannel.on(BPMSoft.EventName.ON_MESSAGE, this.onMessage, this)
        got.isSame = serverchannel.Terrasoft === BPMSoft && serverchannel.connect === ServerChannel.connect
      },
      onMessage: function(scope, message) { got.message.push(message) }
    }
  })
</script>`

const LOADED = `<script>
  require.config({ paths: { serverchannel: '/msg/serverchannel-creatio' }, urlArgs: 'global=BPMSoft' })
  require(['OrderPage'], function(page) { page.init() })
</script>`

/** A tag loads the script where a loader is there already. */
const TAGGED = `<script src="/msg/serverchannel-creatio.js" data-global="BPMSoft"></script>
<script>require(['OrderPage'], function(page) { page.init() })</script>`

const require = createRequire(import.meta.url)
const requireJs = readFileSync(require.resolve('requirejs/require.js'), 'utf8')
const answers: ReadonlyMap<string, readonly [type: string, body: string]> = new Map([
  ['/', ['text/html', PLAIN]],
  ['/amd', ['text/html', AMD + LOADED]],
  ['/amd-tag', ['text/html', AMD + TAGGED]],
  ['/require.js', ['text/javascript', requireJs]],
])

export interface CreatioServer {
  readonly port: number
  readonly channel: ServerChannel
  close(): Promise<void>
}

/** The pages and a channel on one port; a page sends to its own user's tabs, and to all. */
export async function startCreatioServer(): Promise<CreatioServer> {
  const server = createServer((request, response) => {
    const [type, body] = answers.get(request.url?.split('?')[0] ?? '') ?? []
    if (body === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(body)
  })
  const channel = await createServerChannel({
    development: true,
    clientMessagePolicy: (message) => ownConnections(message) || allConnections(message),
  })
  channel.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
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
