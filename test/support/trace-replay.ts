import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import { createServerChannel, type MappedHub } from '../../packages/server/src/index.ts'
import { collectLogged } from '../../packages/server/test/collecting-logger.ts'
import { type ConformanceContract, createConformanceHub } from '../../packages/server/test/conformance-hub.ts'
import { readTrace, type TraceEvent } from './trace.ts'
import { TraceClient } from './trace-client.ts'
import { type Exchange, Transcript } from './trace-transcript.ts'

const READ_LIMITS = { messageBytesMax: 32_768, depthMax: 64 }
/** Half of what they were at the recorded server. */
const TIMES = { keepAliveIntervalMs: 1000, pollTimeoutMs: 2000 }

export interface Replay {
  /** What the recorded server said. */
  readonly golden: Transcript
  /** What ours said to the same. */
  readonly ours: Transcript
  /** What the client answered when our server asked it. */
  readonly results: readonly unknown[]
}

/** Says to a server of ours what the client of the recording said, when it said it. */
export async function replayTrace(name: string): Promise<Replay> {
  const server = await createServerChannel({ ...TIMES, path: '/channel', logger: collectLogged([]) })
  const hub = server.mapHub('/msg', createConformanceHub())
  const client = new TraceClient((await server.listen()).port)
  try {
    return await new Session(name, hub, client).play()
  } finally {
    client.close()
    await server.close()
  }
}

class Session {
  readonly #events: readonly TraceEvent[]
  readonly #hub: MappedHub<ConformanceContract>
  readonly #client: TraceClient
  readonly #golden = new Recording()
  readonly #results: Promise<number>[] = []
  /** What the server is to tell everybody, when its time has come. */
  readonly #toldToAll: unknown[]

  constructor(name: string, hub: MappedHub<ConformanceContract>, client: TraceClient) {
    this.#events = eventsOf(name)
    this.#hub = hub
    this.#client = client
    this.#toldToAll = toldToAllIn(this.#events)
  }

  async play(): Promise<Replay> {
    for (const event of this.#events) await this.#take(event)
    return { golden: this.#golden.transcript, ours: this.#client.transcript, results: await Promise.all(this.#results) }
  }

  async #take(event: TraceEvent): Promise<void> {
    this.#golden.take(event)
    switch (event.kind) {
      case 'step':
        await this.#client.settle()
        this.#act(event.step)
        return
      case 'left':
        this.#client.leave(event.conn)
        return
      case 'frame':
        if (event.isServer) await this.#catchUp()
        else this.#client.send({ ...event.frame, bytes: this.#withOwnIds(event.frame.bytes) })
        return
      case 'http':
        if (event.isServer) await this.#catchUp()
        else await this.#client.request(event.conn, this.#withOwnIds(event.bytes))
        return
      default:
        event satisfies never
    }
  }

  /** Does what the driver of the recording had the server do. */
  #act(step: string): void {
    const count = /=>/.test(step) ? undefined : /(\d+) broadcasts|POST \/post\?n=(\d+)/.exec(step)
    for (let n = Number(count?.[1] ?? count?.[2] ?? 0); n > 0; n--) {
      this.#hub.clients.all.send('message', this.#toldToAll.shift())
    }
    if (step === 'client result (server invokes Result)') {
      this.#results.push(this.#hub.clients.client(this.#client.negotiated('connectionId')).invoke('Result'))
    }
    if (step === 'CUT') this.#client.cut()
  }

  /** .NET counts its questions for all clients together, we for each. */
  #withOwnIds(recorded: Buffer): Buffer {
    const answered = /"invocationId":"(s\d+)"|\x03\x80\xa2(s\d)/.exec(recorded.toString('latin1'))
    const id = answered?.[1] ?? answered?.[2]
    if (id === undefined) return recorded
    const own = `s${this.#results.length}`
    return Buffer.from(recorded.toString('latin1').replace(id, own), 'latin1')
  }

  /** Waits until our server has said as much as the recorded one had at this point. */
  #catchUp(): Promise<void> {
    const { transcript: ours } = this.#client
    const golden = this.#golden.transcript
    const wanted = {
      calls: golden.answers('call').filter(({ isWhole }) => isWhole).length,
      records: golden.timelessRecords.length,
      pings: golden.pings.length,
      acks: golden.acks.at(-1),
      emptyPolls: golden.emptyPolls,
      isEnded: golden.answers('carrier').some(({ headers, isWhole }) => isWhole && headers.has('transfer-encoding')),
      closes: golden.closeCodes.length,
    }
    const hasMessages = (): boolean =>
      ours.timelessRecords.length >= wanted.records && ours.emptyPolls >= wanted.emptyPolls
    return this.#client.waitFor({
      isThere: () =>
        hasMessages() &&
        ours.answers('call').filter(({ isWhole }) => isWhole).length >= wanted.calls &&
        ours.pings.length >= wanted.pings &&
        (wanted.acks === undefined || ours.acks.includes(wanted.acks)) &&
        (!wanted.isEnded || ours.answers('carrier').some(({ isWhole }) => isWhole)) &&
        ours.closeCodes.length >= wanted.closes,
      needsPoll: () => !hasMessages(),
      describe: () => `${JSON.stringify(wanted)} after ${ours.records.at(-1) ?? 'nothing'}`,
    })
  }
}

/** What the recorded server said so far. */
class Recording {
  readonly transcript = new Transcript()
  /** What is answered on each of the TCP connections. */
  readonly #exchanges = new Map<number, Exchange>()

  take(event: TraceEvent): void {
    if (event.kind === 'frame' && event.isServer) this.transcript.frames.push(event.frame)
    if (event.kind !== 'http') return
    if (!event.isServer) {
      this.#exchanges.set(event.conn, this.transcript.begin(event.bytes))
      return
    }
    // A recording that begins in the middle of a session doesn't say which request its server's messages answer.
    const exchange =
      this.#exchanges.get(event.conn) ?? this.transcript.exchanges.findLast(({ role }) => role === 'carrier')
    if (exchange) exchange.raw = Buffer.concat([exchange.raw, event.bytes])
  }
}

/** A recording that begins in the middle gets the beginning of the session of its kind. */
function eventsOf(name: string): TraceEvent[] {
  if (!name.endsWith('-abort')) return readTrace(name)
  const whole = readTrace(name.slice(0, -'-abort'.length))
  const second = whole.findIndex(({ kind }, index) => kind === 'step' && index > 0)
  return [...whole.slice(0, second), ...readTrace(name)]
}

/** The arguments of all that the recorded server told everybody of itself, each once. */
function toldToAllIn(events: readonly TraceEvent[]): unknown[] {
  const recording = new Recording()
  for (const event of events) recording.take(event)
  const told = recording.transcript.records.filter((record) => /"target":"message"|a76d657373616765/.test(record))
  return [...new Set(told)].map((record) => {
    if (record.startsWith('{')) return (JSON.parse(record) as { arguments: unknown[] }).arguments[0]
    const [message] = messagePackCodec.createReader(READ_LIMITS).read(Buffer.from(record, 'hex'))
    return message?.type === 1 ? message.arguments[0] : undefined
  })
}
