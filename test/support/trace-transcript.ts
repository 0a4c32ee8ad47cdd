import { type HttpAnswer, parseAnswer } from './http-answer.ts'
import type { TraceFrame } from './trace.ts'

const PINGS = ['{"type":6}', '029106']
const ACK = /^(?:\{"type":8,|039208)/

/** A request and what was answered. */
export interface Exchange {
  readonly method: string
  /** Without what is different each time: ids, tokens, times. */
  readonly request: string
  /** `carrier`: it brings the messages of the server. */
  readonly role: 'call' | 'carrier' | 'upgrade'
  /** What has come of the answer. */
  raw: Buffer
}

/** What one server said in a session. */
export class Transcript {
  readonly exchanges: Exchange[] = []
  /** What it sent over the WebSocket, or over several that follow each other. */
  readonly frames: TraceFrame[] = []

  begin(request: Buffer): Exchange {
    const text = request.toString('latin1')
    const [method = '', target = ''] = text.split(' ')
    const isUpgrade = /^upgrade: websocket/im.test(text)
    const exchange: Exchange = {
      method,
      request: `${method} ${target.replaceAll(/([?&](?:id|_)=)[\w-]+/g, '$1')}`,
      role: isUpgrade ? 'upgrade' : method === 'GET' ? 'carrier' : 'call',
      raw: Buffer.alloc(0),
    }
    this.exchanges.push(exchange)
    return exchange
  }

  /** The answers of a role that have come, those that go on included. */
  answers(role: Exchange['role']): (HttpAnswer & { readonly request: string })[] {
    return this.exchanges
      .filter((exchange) => exchange.role === role)
      .flatMap(({ raw, request }) => {
        const answer = parseAnswer(raw)
        return answer ? [{ ...answer, request }] : []
      })
  }

  /** All hub messages: JSON as text without its mark, MessagePack in hexadecimal; the handshake's answer first. */
  get records(): string[] {
    const data = this.frames.filter(({ type }) => type !== 'close').map(({ bytes }) => bytes)
    return splitRecords(Buffer.concat([...data, ...this.answers('carrier').map(payloadOf)]))
  }

  /** Those whose place and number are not a matter of time. */
  get timelessRecords(): string[] {
    return this.records.filter((record) => !PINGS.includes(record) && !ACK.test(record))
  }

  get pings(): string[] {
    return this.records.filter((record) => PINGS.includes(record))
  }

  get acks(): string[] {
    return this.records.filter((record) => ACK.test(record))
  }

  /** Polls that were answered, and brought nothing. */
  get emptyPolls(): number {
    return this.answers('carrier').filter(({ body, isWhole }) => isWhole && body.length === 0).length
  }

  get closeCodes(): (number | undefined)[] {
    return this.frames.filter(({ type }) => type === 'close').map(({ code }) => code)
  }
}

/** Of a poll its body, of a stream of events their data. */
function payloadOf({ headers, body }: HttpAnswer): Buffer {
  if (headers.get('content-type') !== 'text/event-stream') return body
  const events = body.toString('latin1').split('\r\n\r\n').slice(0, -1)
  const payloads = events.map((event) => {
    const lines = event.split('\r\n').filter((line) => line.startsWith('data: '))
    return lines.map((line) => line.slice('data: '.length)).join('\n')
  })
  return Buffer.from(payloads.join(''), 'latin1')
}

/** The whole messages of a stream; what is left of the last comes as it is. */
function splitRecords(stream: Buffer): string[] {
  const records: string[] = []
  let rest = stream
  while (rest.length > 0) {
    const isText = rest[0] === 0x7b
    const length = isText ? rest.indexOf(0x1e) + 1 : lengthOf(rest)
    const record = length > 0 && length <= rest.length ? rest.subarray(0, length) : rest
    records.push(isText ? record.toString('utf8').replace(/\x1e$/, '') : record.toString('hex'))
    rest = rest.subarray(record.length)
  }
  return records
}

/** The bytes of a MessagePack message, its length before it included: seven bits a byte, the lowest first. */
function lengthOf(bytes: Buffer): number {
  let length = 0
  for (const [index, byte] of bytes.subarray(0, 5).entries()) {
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return index + 1 + length
  }
  return 0
}
