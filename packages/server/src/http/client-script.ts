import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { ChannelError } from '../channel/channel-error.ts'
import { send } from '../transports/answer.ts'

/** Serves one of the page's scripts, as for `<script src="/msg/serverchannel.js">`. Public, so pages of any allowed site may load it. */
export class ClientScript {
  readonly #file: string
  #script: { readonly body: Buffer; readonly etag: string } | undefined

  /** @param file of the client's package */
  constructor(file: 'serverchannel.js' | 'serverchannel-creatio.js' | 'shared-worker.js') {
    this.#file = file
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
      const body = readFileSync(createRequire(import.meta.url).resolve(`@serverchannel/client/${this.#file}`))
      this.#script = { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
    }
    return this.#script
  }
}
