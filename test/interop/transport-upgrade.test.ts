// A network that let no WebSockets pass lets them pass again: the real client and server, with posts all the while.
import { connect } from '@serverchannel/client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type ClientServer, startClientServer } from '../support/client-page.ts'

const WAIT = { timeout: 10_000, interval: 10 }
/** What is waited for that long is here a matter of milliseconds. */
const MINUTES_MS = 200_000

let server: ClientServer

beforeEach(async () => {
  server = await startClientServer()
})

afterEach(() => server.close())

it('the channel goes on over a WebSocket, with each message once and in order', async () => {
  server.blocksWebSockets = true
  await using channel = connect(`${server.url}/msg`, {
    WebSocket,
    environment: {
      after(delayMs, run) {
        const timer = setTimeout(run, delayMs > MINUTES_MS ? 20 : delayMs)
        return { stop: () => clearTimeout(timer) }
      },
    },
  })
  const got: unknown[] = []
  const states: string[] = []
  channel.onMessage(({ Body }) => got.push(Body))
  channel.onStateChange((state, { recovered }) => states.push(`${state} ${recovered}`))
  await channel.ready()
  let posted = 0
  const stopping = new AbortController()
  const posting = (async () => {
    while (!stopping.signal.aborted) {
      await server.channel.postMessageToAll('Number', ++posted)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })()
  // Refused again and again, which nobody notices.
  await expect.poll(() => server.upgrades, WAIT).toBeGreaterThan(3)
  expect(states).toEqual(['open undefined'])
  server.blocksWebSockets = false
  await expect.poll(() => states, WAIT).toEqual(['open undefined', 'reconnecting undefined', 'open true'])
  const { upgrades } = server
  stopping.abort()
  await posting
  await expect.poll(() => got.length, WAIT).toBe(posted)
  expect(got).toEqual(Array.from({ length: posted }, (_, index) => index + 1))
  expect(server.upgrades).toBe(upgrades)
  await expect.poll(() => server.channel.connectionCount, WAIT).toBe(1)
})
