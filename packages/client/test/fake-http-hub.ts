import { settle } from './fake-clock.ts'
import { channelState } from './wire.ts'

const SEPARATOR = '\u001e'
type Way = 'events' | 'polls'

/** A hub behind `fetch`, on a network that may let a transport not pass. */
export class FakeHttpHub {
  /** What does not pass. */
  readonly blocked = new Set<'all' | Way>()
  /** Transports as the server offers them. */
  offers: readonly string[] = ['WebSockets', 'ServerSentEvents', 'LongPolling']
  /** What negotiations are answered with, before any is answered with a connection. */
  readonly answers: object[] = []
  readonly negotiations: { readonly url: URL; readonly authorization: string | null }[] = []
  /** How the connections were opened that got so far. */
  readonly opened: Way[] = []
  /** What the newest connection asked to go on from. */
  position: string | null = null
  /** What the client sent, one item a request. */
  readonly sent: string[] = []
  /** Behind the answer to the handshake. */
  greeting: string = channelState('e', 0)
  #isShaken = false
  #waiting = ''
  #write: ((text: string) => void) | undefined
  #end: (() => void) | undefined

  readonly fetch = (async (input: URL, { method = 'GET', headers, body, signal }: RequestInit = {}) => {
    await settle()
    const url = new URL(input)
    const sentHeaders = new Headers(headers)
    if (this.blocked.has('all')) throw new TypeError('Failed to fetch')
    if (url.pathname.endsWith('/negotiate')) {
      this.negotiations.push({ url, authorization: sentHeaders.get('Authorization') })
      return Response.json(this.answers.shift() ?? this.#offer())
    }
    if (method === 'POST') return this.#take(typeof body === 'string' ? body : '')
    if (method === 'DELETE') return new Response(null, { status: 202 })
    const way = sentHeaders.get('Accept') === 'text/event-stream' ? 'events' : 'polls'
    if (this.blocked.has(way)) throw new TypeError('Failed to fetch')
    if (way === 'events') return this.#stream(url, signal)
    return await this.#poll(url, signal)
  }) as typeof fetch

  /** Over the newest connection. */
  send(text: string): void {
    if (this.#write) this.#write(text)
    else this.#waiting += text
  }

  /** Ends the newest connection. */
  drop(): void {
    this.#end?.()
  }

  get isOpen(): boolean {
    return this.#end !== undefined
  }

  #offer(): object {
    return {
      connectionToken: 'token',
      availableTransports: this.offers.map((transport) => ({ transport })),
    }
  }

  #begin(way: Way, url: URL): void {
    this.opened.push(way)
    this.position = url.searchParams.get('position')
    this.#isShaken = false
    this.#waiting = ''
  }

  #take(body: string): Response {
    this.sent.push(body)
    if (!this.#isShaken) {
      this.#isShaken = true
      this.send(`{}${SEPARATOR}${this.greeting}`)
    }
    return new Response()
  }

  #stream(url: URL, signal: AbortSignal | null | undefined): Response {
    this.#begin('events', url)
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        const end = (): void => {
          if (this.#end !== end) return
          this.#end = undefined
          this.#write = undefined
          controller.close()
        }
        this.#end = end
        this.#write = (text) => controller.enqueue(new TextEncoder().encode(`data: ${text}\r\n\r\n`))
        signal?.addEventListener('abort', end)
      },
    })
    return new Response(stream)
  }

  async #poll(url: URL, signal: AbortSignal | null | undefined): Promise<Response> {
    if (!this.isOpen || this.opened.at(-1) !== 'polls') {
      this.#begin('polls', url)
      this.#end = () => {
        this.#end = undefined
      }
      return new Response('')
    }
    const isOver = (): boolean => this.#waiting !== '' || !this.#end || signal?.aborted === true
    while (!isOver()) await settle()
    if (signal?.aborted) this.#end = undefined
    signal?.throwIfAborted()
    if (!this.#end) return new Response(null, { status: 204 })
    const text = this.#waiting
    this.#waiting = ''
    return new Response(text)
  }
}
