import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AccessOptions, requireAccess } from '../auth/access.ts'
import { clientOriginOf } from '../auth/client-origin.ts'
import { ChannelError } from '../channel/channel-error.ts'
import { sendJson } from '../transports/answer.ts'
import { allowOrigin } from '../transports/cors.ts'

/** Where Creatio's clients ask for their channel. Source: PARITY 3, "Discovery". */
const PATH = '/servicemodel/applicationinfoservice.svc/getapplicationinfo'

export interface ApplicationInfoParts {
  readonly access: AccessOptions
  /** Of the hub. */
  readonly hubPath: string
  /** Of the plain WebSockets; undefined where there are none. */
  readonly rawPath: string | undefined
}

/**
 * Tells Creatio's clients what their channel is: the hub, or, below `/0` as in the .NET Framework edition, the plain
 * WebSocket where one is served.
 */
export class ApplicationInfo {
  readonly #parts: ApplicationInfoParts

  constructor(parts: ApplicationInfoParts) {
    this.#parts = parts
  }

  /** @param path in lower case. @returns false, and the request untouched, where it is not for this */
  handles(path: string): boolean {
    return path === PATH || (path === `/0${PATH}` && this.#parts.rawPath !== undefined)
  }

  answer(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { access, hubPath, rawPath } = this.#parts
    requireAccess(request, access)
    if (!allowOrigin(request, response, access)) return
    if (request.method !== 'POST') throw new ChannelError('method_not_allowed', 'Application info is asked with POST.')
    const isRaw = path !== PATH
    const { host = '' } = request.headers
    const scheme = (isRaw ? 'ws' : 'http') + (isEncrypted(request) ? 's' : '')
    sendJson(response, 200, {
      success: true,
      applicationInfo: {
        serviceUrl: `${scheme}://${host}${isRaw ? rawPath : hubPath}`,
        clientConnectionClassName: isRaw ? 'Terrasoft.WebSocketChannel' : 'Terrasoft.SignalRChannel',
      },
    })
  }
}

/** Behind a proxy that ends TLS only what it says tells; a client that lies about it misleads itself alone. */
function isEncrypted(request: IncomingMessage): boolean {
  return clientOriginOf(request).isEncrypted || request.headers['x-forwarded-proto'] === 'https'
}
