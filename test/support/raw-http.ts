import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawResponse {
  readonly statusLine: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Without the marks of chunks; what of it has come. */
  readonly body: string
}

/** The answers that a server wrote to one TCP connection, as far as they have come. */
export function parseResponses(text: string): RawResponse[] {
  const responses: RawResponse[] = []
  let rest = text
  while (rest.includes('\r\n\r\n')) {
    const end = rest.indexOf('\r\n\r\n')
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    rest = rest.slice(end + 4)
    const length = Number(headers.get('content-length') ?? 0)
    const { body, used } = headers.has('transfer-encoding')
      ? readChunks(rest)
      : { body: rest.slice(0, length), used: length }
    rest = rest.slice(used)
    responses.push({ statusLine, headers, body })
  }
  return responses
}

function readChunks(text: string): { readonly body: string; readonly used: number } {
  let body = ''
  let used = 0
  for (;;) {
    const end = text.indexOf('\r\n', used)
    if (end === -1) return { body, used: text.length }
    const length = Number.parseInt(text.slice(used, end), 16)
    body += text.slice(end + 2, end + 2 + length)
    used = end + 2 + length + 2
    if (length === 0) return { body, used }
  }
}

/** One TCP connection to a server, to which bytes are written as they are. */
export class TraceSocket {
  readonly #socket: Socket
  /** All that has come, a character for each byte. */
  text = ''

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (data: string) => {
      this.text += data
    })
    this.#socket.on('error', () => {})
  }

  write(text: string): void {
    this.#socket.write(text)
  }

  /** Waits until the answers are what the condition wants. @throws Error where the server closes before */
  async received(isEnough: (responses: readonly RawResponse[]) => boolean): Promise<void> {
    while (!isEnough(parseResponses(this.text))) {
      if (this.#socket.readableEnded) throw new Error(`The server closed after: ${this.text}`)
      await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'end')])
    }
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
