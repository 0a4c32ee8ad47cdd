import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What a .NET server and `@microsoft/signalr` said to each other, recorded; beside the repository, not in it. */
const folder = fileURLToPath(new URL('../../../shared/traces/', import.meta.url))

export type TraceEvent =
  /** What the driver of the recording did. */
  | { readonly kind: 'step'; readonly step: string }
  /** A piece of a request or of an answer. */
  | { readonly kind: 'http'; readonly conn: number; readonly isServer: boolean; readonly bytes: Buffer }
  | { readonly kind: 'frame'; readonly conn: number; readonly isServer: boolean; readonly frame: TraceFrame }
  /** The client closed the TCP connection. */
  | { readonly kind: 'left'; readonly conn: number }

export interface TraceFrame {
  readonly type: 'text' | 'binary' | 'close'
  readonly bytes: Buffer
  /** Of a close, where it has one. */
  readonly code: number | undefined
}

interface Line {
  readonly step?: string
  readonly conn?: number
  readonly dir?: 'C>S' | 'S>C'
  readonly ev?: string
  readonly http?: string
  readonly ws?: TraceFrame['type']
  readonly text?: string
  readonly hex?: string
  readonly code?: number
}

/** Names of the recordings, without their ending; none where the folder is not there. */
export function listTraces(): string[] {
  if (!existsSync(folder)) {
    console.log(`The recordings of a .NET server are skipped: there is no ${folder}`)
    return []
  }
  const names = readdirSync(folder).filter((name) => name.endsWith('.ndjson'))
  return names.map((name) => name.slice(0, -'.ndjson'.length))
}

export function readTrace(name: string): TraceEvent[] {
  const lines = readFileSync(`${folder}${name}.ndjson`, 'utf8').trim().split('\n')
  return lines.flatMap((line) => toEvent(JSON.parse(line) as Line) ?? [])
}

function toEvent({ step, conn = 0, dir, ev, http, ws, text = '', hex, code }: Line): TraceEvent | undefined {
  const isServer = dir === 'S>C'
  if (step !== undefined) return { kind: 'step', step }
  if (http !== undefined) return { kind: 'http', conn, isServer, bytes: toBytes(http) }
  if (ev === 'client closed tcp') return { kind: 'left', conn }
  if (ws === undefined) return undefined
  const bytes = hex === undefined ? Buffer.from(text) : Buffer.from(hex, 'hex')
  return { kind: 'frame', conn, isServer, frame: { type: ws, bytes, code } }
}

/** Text as it is; where there were bytes that are none, they stand in hexadecimal after the head. */
function toBytes(http: string): Buffer {
  const [head = '', hex = ''] = http.split('<hex>')
  return Buffer.concat([Buffer.from(head), Buffer.from(hex, 'hex')])
}
