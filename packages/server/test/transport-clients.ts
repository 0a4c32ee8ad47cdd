import { WebSocket } from 'ws'
import { HANDSHAKE, negotiateUrl, openStream, post, RECORD_END, type Stream, startAsking } from './transport-http.ts'
import { until } from './until.ts'

/** A hub message as it came. */
export interface Said {
  readonly type: number
  readonly target?: string
  readonly arguments?: readonly unknown[]
  readonly invocationId?: string
  readonly error?: string
  readonly allowReconnect?: boolean
}

export interface ClientOptions {
  /** `epoch:offset` to resume from. */
  readonly position?: string
  readonly shakesHands?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** One client over a real socket, the same on every transport. */
export interface TransportClient {
  /** Everything that came, the handshake's answer first, where there is one. */
  readonly said: readonly Said[]
  /** Whether the server ended it. */
  isEnded(): boolean
  /** Sends any piece of what a client sends. Ends when the server has taken it; with the status where there is one. */
  send(data: string | Buffer): Promise<number>
  stopReading(): void
  goOnReading(): void
  /** Leaves as a client does. */
  leave(): Promise<void>
  /** Its connections break. */
  cut(): void
}

export type OpenClient = (url: string, options?: ClientOptions) => Promise<TransportClient>

export const openWebSocket: OpenClient = async (url, { position, shakesHands = true, headers = {} } = {}) => {
  const said: Said[] = []
  const webSocket = new WebSocket(`${url.replace('http', 'ws')}${query(position, '?')}`, { headers })
  const reader = createRecordReader(said)
  webSocket.on('message', (data: Buffer) => reader(data.toString()))
  webSocket.on('error', () => {})
  await new Promise<void>((resolve, reject) => webSocket.once('open', resolve).once('error', reject))
  const client: TransportClient = {
    said,
    isEnded: () => webSocket.readyState === WebSocket.CLOSED,
    send: (data) => new Promise((resolve) => webSocket.send(data, () => resolve(200))),
    stopReading: () => webSocket.pause(),
    goOnReading: () => webSocket.resume(),
    async leave() {
      webSocket.close()
      await until(client.isEnded, 'the WebSocket is closed')
    },
    cut: () => webSocket.terminate(),
  }
  if (shakesHands) await shakeHands(client)
  return client
}

export const openServerSentEvents: OpenClient = async (url, { position, shakesHands = true, headers = {} } = {}) => {
  const said: Said[] = []
  const own = await negotiateUrl(url, headers)
  const stream = await openStream(`${own}${query(position, '&')}`, headers)
  const readRecords = createRecordReader(said)
  stream.response.on(
    'data',
    createEventReader(({ data }) => readRecords(data)),
  )
  const client: TransportClient = {
    said,
    send: async (data) => (await post(own, data, headers).answer).status,
    ...readingOf(stream),
  }
  if (shakesHands) await shakeHands(client)
  return client
}

export const openLongPolling: OpenClient = async (url, { position, shakesHands = true, headers = {} } = {}) => {
  const said: Said[] = []
  const own = await negotiateUrl(url, headers)
  const read = createRecordReader(said)
  let isEnded = false
  let poll = startAsking(`${own}${query(position, '&')}`, { headers })
  await poll.answer
  const run = async (): Promise<void> => {
    while (!isEnded) {
      const current = startAsking(own, { headers })
      poll = current
      const answer = await current.answer.catch(() => undefined)
      // Broken off by this end.
      if (poll !== current || (current.request.destroyed && !answer)) return
      if (answer?.status === 200) read(answer.text)
      else isEnded = true
    }
  }
  void run()
  const stopReading = (): void => {
    poll.request.destroy()
  }
  const client: TransportClient = {
    said,
    isEnded: () => isEnded,
    send: async (data) => (await post(own, data, headers).answer).status,
    stopReading,
    goOnReading: () => void run(),
    async leave() {
      stopReading()
      await startAsking(own, { method: 'DELETE', headers }).answer
    },
    cut: stopReading,
  }
  if (shakesHands) await shakeHands(client)
  return client
}

/** The channel's plain event stream: it only listens, and takes no handshake. */
export const openEventStream: OpenClient = async (url, { position, headers = {} } = {}) => {
  const said: Said[] = []
  const stream = await openStream(`${url}/events`, {
    ...(position ? { 'Last-Event-ID': position } : {}),
    ...headers,
  })
  stream.response.on(
    'data',
    createEventReader(({ event, data }) => {
      const argument = JSON.parse(data) as object
      if (event === 'Close') said.push({ type: 7, ...argument })
      else said.push({ type: 1, target: event || 'ServerMessage', arguments: [argument] })
    }),
  )
  return {
    said,
    send: () => Promise.reject(new Error('An event stream takes nothing from its client')),
    ...readingOf(stream),
  }
}

/** Bodies of the channel's messages, in the order in which they came. */
export function bodies({ said }: TransportClient): unknown[] {
  return said.flatMap((message) =>
    message.target === 'ServerMessage' ? [(message.arguments?.[0] as { Body?: unknown } | undefined)?.Body] : [],
  )
}

/** Waits until so many of the channel's messages have come, and answers their bodies. */
export async function receive(client: TransportClient, count: number): Promise<unknown[]> {
  let seen = 0
  let total = 0
  const countNew = (): number => {
    for (; seen < client.said.length; seen++) if (client.said[seen]?.target === 'ServerMessage') total++
    return total
  }
  await until(() => countNew() >= count, `${count} messages have come`, 15_000)
  return bodies(client)
}

async function shakeHands(client: TransportClient): Promise<void> {
  await client.send(HANDSHAKE)
  await until(() => client.said.length > 0, 'the handshake is answered')
}

function query(position: string | undefined, mark: '?' | '&'): string {
  return position === undefined ? '' : `${mark}position=${encodeURIComponent(position)}`
}

function readingOf({
  request,
  response,
  isEnded,
}: Stream): Pick<TransportClient, 'isEnded' | 'stopReading' | 'goOnReading' | 'leave' | 'cut'> {
  return {
    isEnded,
    stopReading: () => response.pause(),
    goOnReading: () => response.resume(),
    async leave() {
      request.destroy()
      await until(isEnded, 'the stream is closed')
    },
    cut: () => request.socket?.resetAndDestroy(),
  }
}

function createRecordReader(said: Said[]): (text: string) => void {
  let rest = ''
  return (text) => {
    const records = (rest + text).split(RECORD_END)
    rest = records.pop() ?? ''
    for (const record of records) said.push(JSON.parse(record) as Said)
  }
}

/** Reads an event stream as HTML says. */
export function createEventReader(
  onEvent: (event: { readonly event: string; readonly data: string; readonly id: string | undefined }) => void,
): (text: string) => void {
  let rest = ''
  let event = ''
  let id: string | undefined
  let data: string[] = []
  const readLine = (line: string): void => {
    if (line === '') {
      if (data.length > 0) onEvent({ event, data: data.join('\n'), id })
      event = ''
      data = []
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id') id = value
  }
  return (text) => {
    // A carriage return at the end may be half of a line's end.
    const whole = rest + text
    const parts = whole.split(/\r\n|\n|\r(?=[^])/)
    rest = parts.pop() ?? ''
    for (const line of parts) readLine(line)
  }
}
