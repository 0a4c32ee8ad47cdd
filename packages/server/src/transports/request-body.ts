import type { IncomingMessage } from 'node:http'
import { ChannelError } from '../channel/channel-error.ts'
import type { LimitName } from '../options.ts'

/**
 * Reads a request's whole body.
 *
 * @throws ChannelError `request_too_large`, before more than that is in memory; the rest is read and dropped, so that the
 * answer reaches a client that is still sending. An Error where the client went away.
 */
export function readBody(request: IncomingMessage, bytesMax: number, limitName: LimitName): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Then nothing of it is told any more.
    if (request.destroyed) throw new Error('The client went away before its request was read')
    const parts: Buffer[] = []
    let bytes = 0
    const refuse = (): void => {
      parts.length = 0
      request.removeAllListeners('data')
      request.resume()
      const limit = `the ${bytesMax} bytes that '${limitName}' allows`
      reject(new ChannelError('request_too_large', `The request has more than ${limit}.`))
    }
    request.on('end', () => resolve(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, bytes)))
    request.on('error', reject)
    // Said of requests that were read whole too, and an error costs more than all else here.
    request.on('close', () => {
      if (!request.readableEnded) reject(new Error('The client went away while its request was read'))
    })
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
      refuse()
      return
    }
    request.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > bytesMax) refuse()
      else parts.push(part)
    })
  })
}
