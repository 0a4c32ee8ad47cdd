import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { ChannelError } from '../channel/channel-error.ts'
import { send } from '../transports/answer.ts'

/** Serves a script of the client's package, as `<script src="/msg/serverchannel.js">` asks for. Public, so pages of any allowed site may load it. */
export class ClientScript {
  readonly #module: string
  #script: { readonly body: Buffer; readonly etag: string } | undefined

  /** @param module as the client's package names it */
  constructor(module: string) {
    this.#module = module
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new ChannelError('method_not_allowed', 'The script is fetched with GET.')
    }
    const { body, etag } = this.#load()
    const headers = {
      'Content-Type': 'text/javascript; charset=utf-8',
      'Cache-Control': 'no-cache',
      ETag: etag,
      'Cross-Origin-Resource-Policy': 'cross-origin',
    }
    if (request.headers['if-none-match'] === etag) send(response, 304, '', headers)
    else send(response, 200, body, headers)
  }

  /** Read when it is first asked for: most servers with a build of their own never need it. */
  #load(): { readonly body: Buffer; readonly etag: string } {
    if (!this.#script) {
      const body = readFileSync(createRequire(import.meta.url).resolve(this.#module))
      this.#script = { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
    }
    return this.#script
  }
}
