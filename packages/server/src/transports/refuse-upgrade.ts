import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ChannelError } from '../channel/channel-error.ts'
import { toProblem } from './answer.ts'

/** Answers an upgrade request with an error and ends its connection, so that nothing of it is read as a next request. */
export function refuseUpgrade(socket: Duplex, error: ChannelError): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const problem = toProblem(error)
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
