import { expect } from 'vitest'
import type { ServerChannelOptions } from '../../packages/server/src/index.ts'
import type { StockClient, StockSettings } from './stock-client.ts'
import { openStockServer, type StockServer } from './stock-server.ts'
import type { StockFeature } from './stock-versions.ts'

/** A version, a transport and a protocol, and the server that they are tried on. */
export interface StockScene {
  readonly transport: StockSettings['transport']
  readonly protocol: StockSettings['protocol']
  readonly server: StockServer
  /** What is to be done when the test is over. */
  onFinished(end: () => Promise<void>): void
  /** A client that is not connected yet; it is stopped when the test is over. */
  create(settings?: SceneSettings): Promise<StockClient>
  /** A client that is connected. */
  open(settings?: SceneSettings): Promise<StockClient>
  /** Another server of the same kind, closed when the test is over. */
  openServer(port?: number): Promise<StockServer>
}

export interface SceneSettings extends Partial<Omit<StockSettings, 'url' | 'transport' | 'protocol'>> {
  /** Default: the conformance hub's. */
  readonly path?: string
  /** Default: the server's own. */
  readonly port?: number
}

/** Something that every client is to get from the server, in the same words over every transport and protocol. */
export interface Scenario {
  /** What the client does, as the rest of a sentence. */
  readonly name: string
  readonly needs?: StockFeature
  /** Left out: over all of them. */
  readonly only?: StockSettings['transport']
  run(scene: StockScene): Promise<void>
}

export interface SceneParts {
  readonly carrier: Pick<StockSettings, 'transport' | 'protocol'>
  readonly server: StockServer
  readonly onFinished: StockScene['onFinished']
  /** Of the servers that are opened besides. */
  readonly serverOptions?: ServerChannelOptions
  create(settings: StockSettings): StockClient | Promise<StockClient>
}

export function openScene({ carrier, server, onFinished, serverOptions, ...parts }: SceneParts): StockScene {
  const clients: StockClient[] = []
  const stopClients = async (): Promise<void> => {
    await Promise.all(clients.splice(0).map((client) => client.stop()))
  }
  const create: StockScene['create'] = async ({ path = '/testhub', port = server.port, ...rest } = {}) => {
    const client = await parts.create({ url: `http://127.0.0.1:${port}${path}`, ...carrier, ...rest })
    clients.push(client)
    return client
  }
  onFinished(stopClients)
  return {
    ...carrier,
    server,
    onFinished,
    create,
    async open(settings) {
      const client = await create(settings)
      expect(await client.start()).toEqual({ value: undefined })
      return client
    },
    async openServer(port) {
      const other = await openStockServer(serverOptions, port)
      onFinished(async () => {
        // The stop of version 3.1.3 never ends where its server went down just before.
        await stopClients()
        await other.close()
      })
      return other
    },
  }
}

/** The connections' ids, as those have them who are connected. */
export async function idOf(client: StockClient): Promise<string> {
  const id = await client.connectionId()
  if (id === null) throw new Error('The client has no connection id')
  return id
}
