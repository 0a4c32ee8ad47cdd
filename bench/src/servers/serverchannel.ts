import { createServerChannel, type DirectWrites } from 'serverchannel'
import type { Served } from './post-endpoint.ts'

/** Ours, with everything switched on that is on by default: memory store, history, HTTP API. */
export async function startServerChannel(directWrites: DirectWrites): Promise<Served> {
  const channel = await createServerChannel({ development: true, directWrites })
  const { port } = await channel.listen({ port: 0, host: '127.0.0.1' })
  return { port, close: () => channel.close() }
}
