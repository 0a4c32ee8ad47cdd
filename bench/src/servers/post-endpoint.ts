import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { JsonRecord } from '../json-record.ts'

/** A server that listens. */
export interface Served {
  port: number
  close(): Promise<void>
}

interface Post {
  sender: string
  body: string
}

/** Sends the message to all and says where it is. */
type OnPost = (post: Post) => { position: string }

/** An HTTP server with `POST /api/messages`, as ours has it, for the servers that we are compared with. */
export function createPostServer(onPost: OnPost): Server {
  return createServer((request, response) => void answer(request, response, onPost))
}

async function answer(request: IncomingMessage, response: ServerResponse, onPost: OnPost): Promise<void> {
  if (request.method !== 'POST' || request.url !== '/api/messages') {
    response.writeHead(404).end()
    return
  }
  try {
    const post = JsonRecord.parse(await textOf(request), 'the post')
    const receipt = JSON.stringify(onPost({ sender: post.text('sender'), body: post.text('body') }))
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(receipt) }
    response.writeHead(201, headers).end(receipt)
  } catch {
    response.writeHead(400).end()
  }
}

/** Listens on a free port of the loopback address. */
export async function serve(server: Server, closeOthers: () => void): Promise<Served> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const close = async (): Promise<void> => {
    closeOthers()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { port, close }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const part of request) text += part
  return text
}
