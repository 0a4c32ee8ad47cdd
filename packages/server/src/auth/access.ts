import type { IncomingMessage } from 'node:http'
import { ChannelError } from '../channel/channel-error.ts'
import { clientOriginOf } from './client-origin.ts'

export interface AccessOptions {
  /** Whether pages of an origin other than the server's own may use it; undefined: none. */
  readonly allowsOrigin: ((origin: string) => boolean) | undefined
  readonly development: boolean
}

/**
 * Whether a request may be answered at all, by where it comes from. The same check on every endpoint, the upgrade
 * included: browsers don't keep pages of other origins from opening WebSockets. Source: THREATS 2.
 *
 * @throws ChannelError `origin_forbidden`, `host_forbidden`, `development_only`
 */
export function requireAccess(request: IncomingMessage, options: AccessOptions): void {
  const { host, origin } = request.headers
  if (options.development) {
    if (!isLoopbackAddress(clientOriginOf(request).address)) {
      throw new ChannelError(
        'development_only',
        'This server runs in development mode, which serves this machine only. Configure authentication to serve others.',
      )
    }
    // A page of another site whose name resolves to this machine would be "same origin" otherwise (DNS rebinding).
    if (host !== undefined && !isLoopbackName(hostNameOf(host))) {
      throw new ChannelError('host_forbidden', `In development mode the Host is localhost or a loopback address.`)
    }
  }
  if (origin === undefined) requireNotCrossSite(request)
  else if (!isSameOrigin(origin, host, request) && !options.allowsOrigin?.(origin)) {
    throw new ChannelError(
      'origin_forbidden',
      `Pages of the origin '${clip(origin)}' may not use the channel; add it to 'allowedOrigins' if they should.`,
    )
  }
}

/** An origin as a browser writes it, or undefined where the text is none. */
export function normalizeOrigin(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url && url.origin !== 'null' ? url.origin : undefined
}

/**
 * Browsers send an Origin with every WebSocket and every POST; where it is missing and the request still says that it
 * comes from another site, it is a cross-site GET, which nobody needs here.
 */
function requireNotCrossSite(request: IncomingMessage): void {
  const site = request.headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return
  throw new ChannelError('origin_forbidden', 'Requests from other sites may not use the channel.')
}

/** Scheme, host and port compare. Behind a proxy that ends TLS the socket can't tell the scheme, so there host and port do. */
function isSameOrigin(origin: string, host: string | undefined, request: IncomingMessage): boolean {
  if (host === undefined || !URL.canParse(origin)) return false
  const { protocol, host: originHost, origin: normalized } = new URL(origin)
  if (normalized === 'null' || (protocol !== 'http:' && protocol !== 'https:')) return false
  if (clientOriginOf(request).isEncrypted && protocol !== 'https:') return false
  const own = `${protocol}//${host}`
  return URL.canParse(own) && new URL(own).host === originHost
}

/** Of the host before: most requests of a server name the same one, and two URLs cost as much as the rest of the check. */
let known = { host: '', name: '' }

function hostNameOf(host: string): string {
  if (host !== known.host) {
    known = { host, name: URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '' }
  }
  return known.name
}

/** Whether a host name as `URL` writes it can only be this machine. */
export function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name)
}

export function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && /^(?:127\.|::1$|::ffff:127\.)/.test(address)
}

function clip(text: string): string {
  return text.slice(0, 128)
}
