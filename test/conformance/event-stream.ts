import type { IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { expectEqual } from './check.ts'
import { ask, bearer, headersOf, openAsk, responseTo, withQuery } from './http.ts'
import { Inbox } from './inbox.ts'
import type { Scene } from './scene.ts'
import type { Piece, Wire } from './wire.ts'

/** Server-sent events, block by block as they stand on the wire, and the POSTs beside them. */
export class EventStream implements Wire {
  readonly headers: ReadonlyMap<string, string>
  readonly #scene: Scene
  readonly #path: string
  readonly #bearer: Record<string, string>
  readonly #response: IncomingMessage
  readonly #blocks = new Inbox<string>()

  private constructor(scene: Scene, path: string, response: IncomingMessage, token: string | undefined) {
    this.#scene = scene
    this.#path = path
    this.#bearer = bearer(token)
    this.#response = response
    this.headers = headersOf(response)
    this.#read()
  }

  /** Opens it, and expects the server to accept it. The user's token goes in the query, as Node and browsers send it. */
  static async open(
    scene: Scene,
    hub: string,
    id: string,
    { accept = 'text/event-stream', token }: { readonly accept?: string; readonly token?: string | undefined } = {},
  ): Promise<EventStream> {
    const path = withQuery(hub, { id })
    const request = openAsk(scene, withQuery(path, { access_token: token }), { headers: { Accept: accept } })
    request.end()
    const response = await responseTo(request)
    expectEqual(response.statusCode, 200, 'status of the event stream')
    return new EventStream(scene, path, response, token)
  }

  /** What came up to the next `\r\n\r\n`, with it; before the first event, the comment line. Undefined at the end. */
  nextBlock(): Promise<string | undefined> {
    return this.#blocks.next()
  }

  async next(): Promise<Piece | undefined> {
    for (;;) {
      const block = await this.nextBlock()
      if (block === undefined) return undefined
      const lines = block.split('\r\n').filter((line) => line.startsWith('data:'))
      if (lines.length === 0) continue
      const data = lines.map((line) => line.slice('data:'.length).replace(/^ /, '')).join('\n')
      return { data: Buffer.from(data), isBinary: false }
    }
  }

  async send(data: string | Buffer): Promise<void> {
    const { status } = await ask(this.#scene, this.#path, { method: 'POST', body: data, headers: this.#bearer })
    expectEqual(status, 200, 'status of the POST')
  }

  /** Ends the TCP connection, as a client does that is done. */
  cut(): void {
    this.#response.destroy()
  }

  #read(): void {
    const decoder = new StringDecoder('utf8')
    let text = ''
    let isFirst = true
    this.#response.on('data', (data: Buffer) => {
      text += decoder.write(data)
      // The first line stands alone, whatever comes behind it.
      if (isFirst && text.startsWith(':') && text.includes('\r\n')) {
        const end = text.indexOf('\r\n') + 2
        this.#blocks.push(text.slice(0, end))
        text = text.slice(end)
      }
      if (text !== '') isFirst = false
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        this.#blocks.push(text.slice(0, end + 4))
        text = text.slice(end + 4)
      }
    })
    this.#response.on('error', () => {})
    this.#response.on('close', () => this.#blocks.end())
  }
}
