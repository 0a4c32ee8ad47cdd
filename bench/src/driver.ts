import { spawn } from 'node:child_process'
import { JsonRecord } from './json-record.ts'

/** What the driver has counted and measured in one phase. */
export interface PhaseReport {
  phase: string
  /** Messages; or the calls of each connection, and then a delivery is an answer. */
  posted: number
  /** What was posted, times the connections that were ready when the phase began. */
  expected: number
  deliveries: number
  lost: number
  doubled: number
  outOfOrder: number
  /** Came in a later phase than the one it was posted in, which has counted it as lost. */
  late: number
  /** Nobody has posted it. */
  unknown: number
  /** Answers to calls that do not fit their call: another id, or another text. */
  wrong: number
  /** Did not come, because a newer message of the same key did. */
  replaced: number
  /** Did not come, and the client was told of a gap. */
  gone: number
  /** Clients that were told of one. */
  gaps: number
  /** Clients that at the end had lost something or were not there. */
  unfinished: number
  /** How often a client came back. */
  returns: number
  /** Connections that they began for it: more, where some did not get through at once. */
  returnTries: number
  /** From the moment at which they come back, or read again, until the last of them has everything. */
  returnSeconds: number
  /** Positions in the answers to posts. */
  receipts: number
  /** From the moment at which a post was due to its answer. */
  answerP50Ms: number
  answerP99Ms: number
  answerMaxMs: number
  deliveriesPerServerCpuSecond: number
  userMicrosecondsPerDelivery: number
  latencyP50Ms: number
  latencyP99Ms: number
  latencyMaxMs: number
  payloadBytesPerDelivery: number
  serverCpuSeconds: number
  /** Since the server began. */
  serverRssPeakBytes: number
  driverCpuSeconds: number
  wallSeconds: number
  isStalled: boolean
}

export interface DriverReport {
  connections: number
  failed: number
  closed: number
  firstFailure: string
  refusedPosts: number
  firstRefusal: string
  connectsPerSecond: number
  connectsPerServerCpuSecond: number
  /** With all connections open, before any message. */
  rssIdleBytes: number
  rssBytesPerConnection: number
  phases: PhaseReport[]
}

/** Ends a run that does not end itself. */
const RUN_MS_MAX = 240_000

/** What the driver takes; `driver/options.c` says what each means and what it is when left out. */
export interface DriverOptions {
  port: number
  path?: string
  transport?: 'websocket' | 'server-sent-events' | 'long-polling'
  connections: number
  hello?: string
  ready?: string
  pingText?: string
  pongText?: string
  keepalive?: string
  callBefore?: string
  callBetween?: string
  callAfter?: string
  answerBefore?: string
  answerBetween?: string
  answerAfter?: string
  answerCut?: 'frames' | 'separators' | 'lengths'
  keepsPosition?: 'yes' | 'no'
  slow?: number
  receivers?: number
  keys?: number
  serverPid?: number
  cpu?: number | undefined
  settleMs?: number
  quietMs?: number
  graceMs?: number
  stallMs?: number
  postRaw?: number
  postHttp?: number
  postPath?: string
  postType?: string
  postHello?: string
  postBatch?: number
  postPipeline?: number
  postBefore?: string
  postAfter?: string
  payloadBytes?: number
  phase: readonly string[]
}

export async function runDriver(program: string, options: DriverOptions): Promise<DriverReport> {
  return readReport(await outputOf(program, toFlags(options)))
}

/** `{ settleMs: 500, phase: ['a', 'b'] }` as `--settle-ms 500 --phase a --phase b`. */
export function toFlags(options: object): string[] {
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined) return []
    const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    const values: unknown[] = Array.isArray(value) ? value : [value]
    return values.flatMap((one) => [flag, String(one)])
  })
}

/** The standard output of a program that has to succeed. */
export function outputOf(program: string, programArgs: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, programArgs, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let complaints = ''
    let isOverdue = false
    const timer = setTimeout(() => {
      isOverdue = true
      child.kill('SIGKILL')
    }, RUN_MS_MAX)
    const endWithUs = () => child.kill('SIGKILL')
    process.once('exit', endWithUs)
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      process.off('exit', endWithUs)
      if (code === 0) resolve(output)
      else if (isOverdue) reject(new Error(`the driver was not done after ${RUN_MS_MAX / 1000} s`))
      else reject(new Error(`the driver ended with ${signal ?? `code ${code}`}: ${complaints.trim()}`))
    })
  })
}

/** Why these figures cannot be used; undefined where they can. */
export function problemOf(report: DriverReport): string | undefined {
  if (report.failed > 0) {
    return `${report.failed} of ${report.connections + report.failed} connections failed (${report.firstFailure || 'not ready in time'})`
  }
  if (report.closed > 0) return `${report.closed} of ${report.connections} connections ended (${report.firstFailure})`
  if (report.refusedPosts > 0) return `a post was refused (${report.firstRefusal})`
  const wrong = report.phases.reduce((sum, phase) => sum + phase.wrong, 0)
  if (wrong > 0) return `${wrong} answers do not fit their calls`
  const unanswered = report.phases.find(
    ({ phase, receipts, posted }) => phase.startsWith('posts:') && receipts !== posted,
  )
  if (unanswered) {
    return `${unanswered.receipts} receipts for ${unanswered.posted} posts (${unanswered.phase})`
  }
  const stalled = report.phases.find((phase) => phase.isStalled)
  if (stalled) return `${stalled.lost} of ${stalled.expected} deliveries did not come (${stalled.phase})`
  return undefined
}

function readReport(text: string): DriverReport {
  const report = JsonRecord.parse(text, 'the report of the driver')
  return {
    connections: report.number('connections'),
    failed: report.number('failed'),
    closed: report.number('closed'),
    firstFailure: report.text('firstFailure'),
    refusedPosts: report.number('refusedPosts'),
    firstRefusal: report.text('firstRefusal'),
    connectsPerSecond: report.number('connectsPerSecond'),
    connectsPerServerCpuSecond: report.number('connectsPerServerCpuSecond'),
    rssIdleBytes: report.number('rssIdleBytes'),
    rssBytesPerConnection: report.number('rssBytesPerConnection'),
    phases: report.list('phases').map(readPhase),
  }
}

function readPhase(phase: JsonRecord): PhaseReport {
  const latency = phase.record('latencyMs')
  const answer = phase.record('answerMs')
  return {
    phase: phase.text('phase'),
    posted: phase.number('posted'),
    expected: phase.number('expected'),
    deliveries: phase.number('deliveries'),
    lost: phase.number('lost'),
    doubled: phase.number('doubled'),
    outOfOrder: phase.number('outOfOrder'),
    late: phase.number('late'),
    unknown: phase.number('unknown'),
    wrong: phase.number('wrong'),
    replaced: phase.number('replaced'),
    gone: phase.number('gone'),
    gaps: phase.number('gaps'),
    unfinished: phase.number('unfinished'),
    returns: phase.number('returns'),
    returnTries: phase.number('returnTries'),
    returnSeconds: phase.number('returnSeconds'),
    receipts: phase.number('receipts'),
    answerP50Ms: answer.number('p50'),
    answerP99Ms: answer.number('p99'),
    answerMaxMs: answer.number('max'),
    deliveriesPerServerCpuSecond: phase.number('deliveriesPerServerCpuSecond'),
    userMicrosecondsPerDelivery: phase.number('userMicrosecondsPerDelivery'),
    latencyP50Ms: latency.number('p50'),
    latencyP99Ms: latency.number('p99'),
    latencyMaxMs: latency.number('max'),
    payloadBytesPerDelivery: phase.number('payloadBytesPerDelivery'),
    serverCpuSeconds: phase.number('serverCpuSeconds'),
    serverRssPeakBytes: phase.number('serverRssPeakBytes'),
    driverCpuSeconds: phase.number('driverCpuSeconds'),
    wallSeconds: phase.number('wallSeconds'),
    isStalled: phase.isTrue('isStalled'),
  }
}
