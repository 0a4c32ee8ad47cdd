import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createConformanceHub } from './conformance-hub.ts'
import { openRuntime, settle } from './hub-runtime-scene.ts'

const TRACE = fileURLToPath(new URL('../../../../shared/traces/net9.0.5-ws-json.ndjson', import.meta.url))
const PING = '{"type":6}'

interface TraceEvent {
  readonly step?: string
  readonly dir?: 'C>S' | 'S>C'
  readonly text?: string
}

if (!existsSync(TRACE)) console.log(`The replay of a .NET server's trace is skipped: there is no ${TRACE}`)

it.skipIf(!existsSync(TRACE))("answers every call of the recorded session as .NET's server did", async () => {
  const events = readFileSync(TRACE, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TraceEvent)
  const start = events.findIndex(({ step }) => step === "invoke Echo('hi')")
  const end = events.findIndex(({ step }) => step?.startsWith('idle'))
  const { runtime, clock, connect } = openRuntime(createConformanceHub())
  const client = connect('a')
  const expected: string[] = []
  let answer: Promise<number> | undefined
  for (const { step, dir, text = '' } of events.slice(start, end)) {
    if (step === 'client result (server invokes Result)') answer = runtime.clients.client('a').invoke('Result')
    if (dir === 'C>S') client.transport.send(text)
    if (dir === 'S>C') {
      const said = text.split('\x1e').filter((record) => record !== '' && record !== PING)
      expected.push(...said)
      // What the server said of itself: the messages that the driver posted over HTTP.
      for (const record of said) {
        const { target, arguments: args } = JSON.parse(record) as { target?: string; arguments: [unknown] }
        if (target === 'message') runtime.clients.all.send('message', ...args)
      }
    }
    await settle(clock)
  }
  expect(client.records).toEqual(expected)
  expect(await answer).toBe(10)
  expect(expected.length).toBeGreaterThan(25)
})
