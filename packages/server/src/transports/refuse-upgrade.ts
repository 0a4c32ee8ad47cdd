import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ChannelError } from '../channel/channel-error.ts'
import { toProblem } from './answer.ts'

/** Answers an upgrade request with an error and ends its connection, so that nothing of it is read as a next request. */
export function refuseUpgrade(socket: Duplex, error: ChannelError): void {
  const problem = toProblem(error)
  answerUpgrade(socket, problem.status, 'application/problem+json', JSON.stringify(problem))
}

/** The same with any answer. */
export function answerUpgrade(socket: Duplex, status: number, contentType: string, body: string): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Connection: close',
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    'Referrer-Policy: no-referrer',
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
