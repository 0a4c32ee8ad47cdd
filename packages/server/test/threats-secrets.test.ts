import { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { openRaw, type ServedChannel, serveChannel, UPGRADE_HEAD } from './served-channel.ts'
import { openEventStream, openLongPolling, openServerSentEvents, openWebSocket } from './transport-clients.ts'
import { type Answer, ask, negotiate, negotiateUrl, openStream, post } from './transport-http.ts'
import { until } from './until.ts'

const SECRET = 'secret-token-of-anna'

/** A logger that says everything, and what it said. */
function listenToLog(): { readonly logger: Logger; text(): string } {
  let text = ''
  const sink = new Writable({
    write(piece: Buffer, _, done) {
      text += piece.toString()
      done()
    },
  })
  return { logger: pino({ level: 'trace' }, sink), text: () => text }
}

async function serve(logger: Logger): Promise<ServedChannel> {
  return serveChannel({
    logger,
    closeTimeoutMs: 100,
    handshakeTimeoutMs: 200,
    apiKeys: [SECRET],
    authenticate({ url, headers }) {
      const token = new URLSearchParams(url?.split('?')[1]).get('access_token') ?? headers.authorization
      if (token?.startsWith('broken')) throw new Error('The directory of users is away')
      return token?.includes(SECRET) ? { user: 'anna' } : null
    },
  })
}

describe('a secret that a request brings', () => {
  it('is in no line of the log, whatever becomes of the request', async () => {
    const { logger, text } = listenToLog()
    const { hubUrl, port, url } = await serve(logger)
    const withToken = (token: string): string => `access_token=${token}`
    // What is taken: each transport, its end by an error, and its end by the clock.
    const headers = { Authorization: `Bearer ${SECRET}` }
    for (const open of [openWebSocket, openServerSentEvents, openLongPolling]) {
      const client = await open(hubUrl, { headers })
      await client.send('nonsense\x1e')
      await until(client.isEnded, 'it is closed')
      const silent = await open(hubUrl, { headers, shakesHands: false })
      await until(silent.isEnded, 'it is closed after a while')
    }
    const stream = await openEventStream(hubUrl, { headers })
    stream.cut()
    const { connectionToken } = await negotiate(hubUrl, headers)
    const socket = new WebSocket(`${hubUrl.replace('http', 'ws')}?id=${connectionToken}&${withToken(SECRET)}`)
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('nonsense\x1e')
    await new Promise((resolve) => socket.once('close', resolve))
    // What is refused.
    for (const query of [
      withToken(`x${SECRET.slice(1)}`),
      withToken(`broken-${SECRET}`),
      `${withToken(SECRET)}&id=nobody`,
    ]) {
      for (const method of ['GET', 'POST', 'DELETE', 'PUT']) await ask(`${hubUrl}?${query}`, { method })
      await ask(`${hubUrl}/negotiate?${query}`, { method: 'POST' })
      const raw = await openRaw(port, `${UPGRADE_HEAD.replace('/msg', `/msg?${query}&position=x`)}\r\n`)
      await until(raw.isEnded, 'it is refused')
    }
    for (const key of [SECRET, `${SECRET}-wrong`]) {
      await ask(`${url}/api/messages`, { method: 'POST', body: 'x', headers: { Authorization: `Bearer ${key}` } })
    }
    const said = text()
    // It says something, and nothing that opens a door.
    expect(said).toContain('authenticate() failed')
    expect(said).not.toContain(SECRET.slice(1))
    expect(said).not.toContain(connectionToken)
  })

  it('is in no answer, and no answer may be kept or lead its address elsewhere', async () => {
    const { logger } = listenToLog()
    const { hubUrl, url, port } = await serve(logger)
    const token = `access_token=${SECRET}`
    const own = await negotiateUrl(hubUrl, { Authorization: `Bearer ${SECRET}` })
    const answers: [string, Answer][] = [
      ['negotiation', await ask(`${hubUrl}/negotiate?negotiateVersion=1&${token}`, { method: 'POST' })],
      ['negotiation of what is none', await ask(`${hubUrl}/negotiate?negotiateVersion=x&${token}`, { method: 'POST' })],
      ['a connection that is none', await ask(`${hubUrl}?id=nobody&${token}`)],
      ['a method that is none', await ask(`${hubUrl}?${token}`, { method: 'PUT' })],
      ['a token that is none', await ask(`${hubUrl}?access_token=${SECRET}x&id=nobody`, { method: 'POST' })],
      ['a first poll', await ask(`${own}&${token}`)],
      ['a POST', await post(`${own}&${token}`, '{"protocol":"json","version":1}\x1e').answer],
      ['a poll', await ask(`${own}&${token}`)],
      ['a DELETE', await ask(`${own}&${token}`, { method: 'DELETE' })],
      ['a post', await ask(`${url}/api/messages?${token}`, { method: 'POST', body: '{' })],
    ]
    for (const [name, { headers, text }] of answers) {
      expect([name, headers['cache-control']]).toEqual([name, expect.stringContaining('no-store')])
      expect([name, headers['x-content-type-options']]).toEqual([name, 'nosniff'])
      expect([name, text.includes(SECRET)]).toEqual([name, false])
      expect([name, headers['referrer-policy']]).toEqual([name, 'no-referrer'])
    }
    const second = await negotiateUrl(hubUrl, { Authorization: `Bearer ${SECRET}` })
    for (const address of [`${hubUrl}/events?${token}`, `${second}&${token}`]) {
      const stream = await openStream(address)
      onTestFinished(() => void stream.request.destroy())
      expect(stream.response.headers['content-type']).toContain('text/event-stream')
      expect(stream.response.headers['cache-control']).toContain('no-store')
      expect(stream.response.headers['referrer-policy']).toBe('no-referrer')
    }
    const refused = await openRaw(port, `${UPGRADE_HEAD.replace('/msg', `/msg?id=nobody&${token}`)}\r\n`)
    await until(refused.isEnded, 'it is refused')
    expect(refused.text()).toMatch(/^referrer-policy: no-referrer\r$/im)
    expect(refused.text()).not.toContain(SECRET)
  })
})
