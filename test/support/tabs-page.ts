import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { createServerChannel, type ServerChannel } from 'serverchannel'

const dist = dirname(createRequire(import.meta.url).resolve('@serverchannel/client/tabs'))

/** A page with the client's modules as they are published; the query says how to connect. */
const PAGE = `<!doctype html>
<title>Tabs</title>
<script type="module">
  import { connect } from '/client/tabs.js'
  const asked = new URLSearchParams(location.search)
  window.got = []
  window.states = []
  window.channel = connect('/msg' + (asked.get('user') ? '?user=' + asked.get('user') : ''), {
    ...(asked.has('no-worker') ? { workerUrl: false } : {}),
    ...(asked.has('alone') ? { share: false } : {}),
  })
  channel.onMessage((message) => {
    got.push(message.Body)
    // Over reloads.
    sessionStorage.all = JSON.stringify([...JSON.parse(sessionStorage.all ?? '[]'), message.Body])
  })
  channel.onGap(({ reason }) => got.push(reason))
  channel.onStateChange((state) => states.push(state))
</script>`

/** What the page keeps for the test. */
export interface TabsWindow {
  readonly got: readonly unknown[]
  readonly states: readonly string[]
  readonly channel: {
    readonly state: string
    readonly position: string | undefined
    invoke(method: string, args?: readonly unknown[]): Promise<unknown>
    close(): Promise<void>
  }
}

export interface TabsServer {
  readonly url: string
  readonly port: number
  readonly channel: ServerChannel
  close(): Promise<void>
}

export async function startTabsServer(): Promise<TabsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? ''
    const module = /^\/client\/([\w-]+\.js)$/.exec(path)?.[1]
    if (module) {
      response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(readFileSync(`${dist}/${module}`))
    } else if (path === '/') response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE)
    else response.writeHead(404).end()
  })
  const channel = await createServerChannel({ development: true })
  channel.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    channel,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      await channel.close()
      server.closeAllConnections()
      await closed
    },
  }
}
