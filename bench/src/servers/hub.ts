import { createServerChannel, defineHub } from 'serverchannel'
import type { Served } from './post-endpoint.ts'

interface EchoContract {
  server: { Echo(text: string): string }
  client: object
}

/** A hub of ours beside the channel, with everything that is on by default. */
export async function startHub(): Promise<Served> {
  const server = await createServerChannel({ development: true })
  server.mapHub('/hub', defineHub<EchoContract>({ methods: { Echo: (_, text) => text } }))
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' })
  return { port, close: () => server.close() }
}
