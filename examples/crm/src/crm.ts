import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServerChannel, type ServerChannel, type ServerChannelOptions } from 'serverchannel'
import { Approvals } from './approvals.ts'
import { openDatabase } from './database.ts'
import { Orders } from './orders.ts'
import { createRouter } from './router.ts'
import { createRoutes } from './routes.ts'
import { processFile } from './static-files.ts'

export interface CrmOptions {
  /** 0: one that is free. */
  readonly port: number
  /** An SQLite file, or `:memory:`. */
  readonly database: string
  /** Milliseconds for which the process holds each step, so that one can watch. Default 900; 0 for none. */
  readonly stepMs?: number
  /** Another process than the example's own. */
  readonly processFile?: string
  readonly channelOptions?: ServerChannelOptions
}

export interface Crm {
  readonly url: string
  readonly channel: ServerChannel
  /** Tells all pages, then closes the processes, the server and the database. Idempotent. */
  close(): Promise<void>
}

const STEP_MS_DEFAULT = 900

/** Starts the example on this machine's own address. Rejects where the port is taken. */
export async function startCrm(options: CrmOptions): Promise<Crm> {
  const database = await openDatabase(options.database)
  try {
    const orders = new Orders(database)
    const channel = await createServerChannel({ development: true, ...options.channelOptions })
    const approvals = new Approvals({
      orders,
      channel,
      processFile: options.processFile ?? processFile,
      stepMs: options.stepMs ?? STEP_MS_DEFAULT,
    })
    const server = createServer(createRouter(createRoutes(orders, approvals)))
    channel.attach(server)
    let closing: Promise<void> | undefined
    const close = async (): Promise<void> => {
      await approvals.close()
      await channel.close()
      await closeServer(server)
      database.close()
    }
    try {
      await listen(server, options.port)
    } catch (error) {
      await close()
      throw error
    }
    const { port } = server.address() as AddressInfo
    return { url: `http://127.0.0.1:${port}`, channel, close: () => (closing ??= close()) }
  } catch (error) {
    database.close()
    throw error
  }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  // Rejects with the server's error.
  await once(server, 'listening')
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}
