import { expect, it } from 'vitest'
import { openClient, openRaw, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

const HEADERS_MS_MAX = 10_000
/** Node looks at its connections every five seconds. */
const CHECKED_EVERY_MS = 5000

it('a request whose headers do not end is given up, though its client sends on', { timeout: 30_000 }, async () => {
  const { channel, port } = await serveChannel({ development: true })
  const raw = await openRaw(port, 'POST /msg/negotiate HTTP/1.1\r\nHost: localhost\r\n')
  const start = performance.now()
  const dripping = setInterval(() => raw.socket.write('X: y\r\n'), 200)
  try {
    await until(raw.isEnded, 'it is given up', HEADERS_MS_MAX + 2 * CHECKED_EVERY_MS)
  } finally {
    clearInterval(dripping)
  }
  expect(performance.now() - start).toBeGreaterThan(HEADERS_MS_MAX - 100)
  expect(raw.text()).toMatch(/^HTTP\/1\.1 408 /)
  const client = await openClient(port)
  await channel.postMessageToAll('Still', 'here')
  await until(() => client.bodies().includes('here'), 'others are served')
})
