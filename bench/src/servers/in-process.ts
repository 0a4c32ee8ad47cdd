import { createServer, type ServerResponse } from 'node:http'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { POSTS_PER_REQUEST, POSTS_TOGETHER } from './in-process-posts.ts'
import { type Served, serve } from './post-endpoint.ts'

/** Ours without clients: each request makes it post so many messages in process, each of them awaited. */
export async function startInProcess(): Promise<Served> {
  const channel = await createServerChannel({ development: true })
  const server = createServer((request, response) => {
    request.resume().once('end', () => void answer(channel, response))
  })
  const served = await serve(server, () => {})
  return {
    port: served.port,
    close: async () => {
      await served.close()
      await channel.close()
    },
  }
}

async function answer(channel: ServerChannel, response: ServerResponse): Promise<void> {
  const before = offsetOf(channel)
  const body = 'x'.repeat(100)
  for (let posted = 0; posted < POSTS_PER_REQUEST; posted += POSTS_TOGETHER) {
    await Promise.all(Array.from({ length: POSTS_TOGETHER }, () => channel.postMessageToAll('bench', body)))
  }
  // The log has to say that it has them all.
  const isComplete = offsetOf(channel) - before === POSTS_PER_REQUEST
  response.writeHead(isComplete ? 201 : 500).end(JSON.stringify({ position: channel.position }))
}

function offsetOf(channel: ServerChannel): number {
  return Number(channel.position.split(':')[1])
}
