import type { IncomingMessage } from 'node:http'
import { ChannelError } from '../channel/channel-error.ts'

/** Reads a request's whole body. @throws ChannelError `request_too_large`, before more than that is in memory */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bytesMax) throw tooLarge(bytesMax)
    parts.push(part)
  }
  return Buffer.concat(parts, bytes)
}

function tooLarge(bytesMax: number): ChannelError {
  return new ChannelError(
    'request_too_large',
    `The request has more than the ${bytesMax} bytes that 'requestBytesMax' allows.`,
  )
}
