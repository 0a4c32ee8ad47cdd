import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import {
  type createStockClient,
  type StockClient,
  type StockLibrary,
  type StockSettings,
  stockClientFunctions,
} from './stock-client.ts'

/** The builds for browsers, as they are in the packages. */
const SCRIPTS: Readonly<Record<string, string>> = {
  '/signalr.js': '@microsoft/signalr/dist/browser/signalr.js',
  '/messagepack.js': '@microsoft/signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.js',
}
const PAGE = `<!doctype html>
<title>Stock client</title>
<link rel="icon" href="data:,">
<script src="/signalr.js"></script>
<script src="/messagepack.js"></script>
<script>
${stockClientFunctions.join('\n')}
  window.stockClients = []
</script>`

/** A page of any browser, as far as it is needed here. */
interface RunsCode {
  evaluate<Result, Argument>(run: (argument: Argument) => Result | Promise<Result>, argument: Argument): Promise<Result>
}

/** What the page has for the test. */
interface StockWindow {
  readonly signalR: StockLibrary & {
    readonly protocols: { readonly msgpack: { readonly MessagePackHubProtocol: new () => unknown } }
  }
  readonly stockClients: Record<string, (...args: unknown[]) => unknown>[]
  readonly createStockClient: typeof createStockClient
}

/** Serves the page and its scripts. @returns false where something else was asked for */
export function answerStockPage({ url = '' }: IncomingMessage, response: ServerResponse): boolean {
  const script = SCRIPTS[url]
  if (url !== '/' && script === undefined) return false
  response.setHeader('Content-Type', script === undefined ? 'text/html' : 'text/javascript')
  response.end(script === undefined ? PAGE : readFileSync(createRequire(import.meta.url).resolve(script)))
  return true
}

/** A client that lives in the page. */
export async function createPageClient(page: RunsCode, settings: StockSettings): Promise<StockClient> {
  const index = await page.evaluate((given) => {
    const { signalR, stockClients, createStockClient: create } = window as unknown as StockWindow
    const client = create(signalR, () => new signalR.protocols.msgpack.MessagePackHubProtocol(), given)
    return stockClients.push(client as unknown as StockWindow['stockClients'][number]) - 1
  }, settings)
  const call = (name: string, args: unknown[]): Promise<unknown> =>
    page.evaluate(([at, method, given]) => (window as unknown as StockWindow).stockClients[at]?.[method]?.(...given), [
      index,
      name,
      args,
    ] as const)
  return new Proxy({} as StockClient, {
    // A proxy that is awaited is asked for `then`.
    get: (_, name) =>
      typeof name !== 'string' || name === 'then' ? undefined : (...args: unknown[]) => call(name, args),
  })
}
