import { createServerChannel, type Identity } from 'serverchannel'
import { GROUP, GROUP_SIZE, userName } from './audience-names.ts'
import type { Served } from './post-endpoint.ts'

/** Ours, where each client is a user and in groups of its own: `?n=7&groups=10`; the first hundred are in one more. */
export async function startAudiences(): Promise<Served> {
  const channel = await createServerChannel({
    development: true,
    authenticate: (request) => identityOf(new URLSearchParams(request.url?.split('?')[1] ?? '')),
  })
  const { port } = await channel.listen({ port: 0, host: '127.0.0.1' })
  return { port, close: () => channel.close() }
}

function identityOf(query: URLSearchParams): Identity {
  const client = Number(query.get('n'))
  const groups = Array.from({ length: Number(query.get('groups')) }, (_, index) => `group-${client}-${index}`)
  return { user: userName(client), groups: client < GROUP_SIZE ? [GROUP, ...groups] : groups }
}
