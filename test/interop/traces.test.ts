import { describe, expect, it } from 'vitest'
import type { HttpAnswer } from '../support/http-answer.ts'
import { listTraces } from '../support/trace.ts'
import { replayTrace } from '../support/trace-replay.ts'
import type { Transcript } from '../support/trace-transcript.ts'

const traces = listTraces()

// What is not compared, because it differs on purpose or each time:
// - batches: several messages in one frame, event or poll are equal to as many frames, events or polls (SIGNALR 0.1);
// - pings and acknowledgements are a matter of time: which there are is compared, not where and how often;
// - who ends an aborted WebSocket first: our close frame follows the Close message at once, its code is compared;
// - ids, tokens, dates, ports, the numbers of the server's questions, and the headers below.
// Shutdown, where ours differs on purpose (SIGNALR 0.6), is in no recording.

/** What is said of an answer besides what it says, or by its server of itself: different each time, or no matter. */
const NOT_COMPARED = ['date', 'server', 'connection', 'keep-alive', 'sec-websocket-accept']
/** How a body's length is told; the body is compared. */
const FRAMING = ['content-length', 'transfer-encoding']
/** What ours says besides. */
const OURS = [
  'x-content-type-options: nosniff',
  'referrer-policy: no-referrer',
  'x-accel-buffering: no',
  'cache-control: no-store',
]

/** A number of the server's questions: it counts them for all of its clients, ours for each. */
const QUESTION = /(?<="invocationId":"s|^0f960180a273)3?\d(?=",|a6526573756c74)/

interface Described {
  readonly request: string
  readonly head: readonly string[]
  readonly body: string
  readonly isWhole: boolean
}

function describeAnswer(answer: HttpAnswer & { readonly request: string }, isOurs: boolean): Described {
  const names = [...NOT_COMPARED, ...FRAMING]
  const fields = [...answer.headers].flatMap(([name, value]) => (names.includes(name) ? [] : [`${name}: ${value}`]))
  return {
    request: answer.request,
    head: [answer.statusLine, ...fields.filter((field) => !isOurs || !OURS.includes(field)).sort()],
    body: answer.body.toString().replaceAll(/("connection(?:Id|Token)":)"[\w-]{22}"/g, '$1"…"'),
    isWhole: answer.isWhole,
  }
}

function describeAnswers(transcript: Transcript, role: 'call' | 'carrier' | 'upgrade', isOurs: boolean): Described[] {
  return transcript.answers(role).map((answer) => describeAnswer(answer, isOurs))
}

/** The kinds of answers that bring messages. How many there are is a matter of batches, and so is what is in each. */
function carrierKinds(transcript: Transcript, isOurs: boolean): string[] {
  const kinds = describeAnswers(transcript, 'carrier', isOurs).map(({ request, head, body, isWhole }) => {
    // A stream begins with a comment, for browsers that wait for bytes before they say that it is open.
    const start = body.startsWith(':') ? JSON.stringify(body.split('\n')[0]) : body === '' ? 'empty' : 'messages'
    return [request, ...head, start, isWhole ? 'whole' : 'open'].join(' | ')
  })
  return [...new Set(kinds)].sort()
}

function recordsOf(transcript: Transcript): string[] {
  return transcript.timelessRecords.map((record) => record.replace(QUESTION, 'n'))
}

describe.skipIf(traces.length === 0)('what a .NET server said in a recorded session, ours says to the same', () => {
  it.concurrent.each(traces)('%s', async (name) => {
    const { golden, ours, results } = await replayTrace(name)
    expect(golden.timelessRecords.length).toBeGreaterThan(1)
    expect(recordsOf(ours)).toEqual(recordsOf(golden))
    expect(describeAnswers(ours, 'call', true)).toEqual(describeAnswers(golden, 'call', false))
    expect(describeAnswers(ours, 'upgrade', true)).toEqual(describeAnswers(golden, 'upgrade', false))
    expect(carrierKinds(ours, true)).toEqual(carrierKinds(golden, false))
    expect(ours.closeCodes).toEqual(golden.closeCodes)
    expect(new Set(ours.frames.map(({ type }) => type))).toEqual(new Set(golden.frames.map(({ type }) => type)))
    // A slow machine makes for more of them.
    expect(ours.pings).toEqual(expect.arrayContaining([...new Set(golden.pings)]))
    expect(new Set(ours.acks)).toEqual(new Set(golden.acks))
    expect(results).toEqual(/abort|reconnect/.test(name) ? [] : [10])
  })
})
