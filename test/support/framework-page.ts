import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { compile } from 'svelte/compiler'

const pages = fileURLToPath(new URL('./framework-pages/', import.meta.url))

/** A page's script with all that it imports, as a reader's build makes it. */
export async function bundle(name: string): Promise<string> {
  const build = await rolldown({
    input: `${pages}${name}.js`,
    platform: 'browser',
    logLevel: 'silent',
    transform: {
      define: { 'process.env.NODE_ENV': '"development"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false' },
    },
    plugins: [
      {
        name: 'svelte',
        load(path) {
          if (!path.endsWith('.svelte')) return null
          return compile(readFileSync(path, 'utf8'), { filename: path, generate: 'client' }).js.code
        },
      },
    ],
  })
  const { output } = await build.generate({ format: 'esm' })
  return output[0].code
}

/** A server that has the page and a channel. */
export interface FrameworkServer {
  readonly url: string
  readonly channel: ServerChannel
  close(): Promise<void>
}

export async function servePage(script: string): Promise<FrameworkServer> {
  const server = createServer((request, response) => {
    if (request.url === '/page.js') response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(script)
    else if (request.url === '/') response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE)
    else response.writeHead(404).end()
  })
  const channel = await createServerChannel({ development: true })
  channel.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    channel,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      await channel.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const PAGE =
  '<!doctype html><title>Frameworks</title><div id="app"></div><script type="module" src="/page.js"></script>'
