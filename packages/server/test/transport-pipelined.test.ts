import { describe, expect, it } from 'vitest'
import { openRaw, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

const BOUNDS = { pollTimeoutMs: 1000, disconnectTimeoutMs: 300 }

async function serve() {
  const { channel, url, port } = await serveChannel({ development: true, ...BOUNDS })
  const negotiate = async (): Promise<string> => {
    const response = await fetch(`${url}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })
    return ((await response.json()) as { connectionToken: string }).connectionToken
  }
  return { channel, url, port, negotiate }
}

const get = (path: string, accept = '*/*'): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`

describe('a request that was sent before the answer to the one before it', () => {
  it('is refused where it would stay open', async () => {
    for (const accept of ['text/event-stream', '*/*', undefined]) await expectRefusal(accept)
  })

  /** @param accept of a client that negotiated; undefined: of one that asks for a plain event stream */
  async function expectRefusal(accept: string | undefined): Promise<void> {
    const { channel, url, port, negotiate } = await serve()
    const [waiting, token] = [await negotiate(), await negotiate()]
    await fetch(`${url}/msg?id=${waiting}`)
    const path = accept === undefined ? '/msg/events' : `/msg?id=${token}`
    // The first is a poll, which is answered when its time is over; only then are the others.
    const raw = await openRaw(port, get(`/msg?id=${waiting}`) + get(path, accept))
    await until(() => raw.text().includes('request_pipelined'), 'it is refused')
    expect(raw.text()).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 400 /s)
    raw.socket.destroy()
    await until(() => channel.connectionCount === 0, 'nothing is left')
  }

  it('is answered like any other where it is not', async () => {
    const { url, port, negotiate } = await serve()
    const waiting = await negotiate()
    await fetch(`${url}/msg?id=${waiting}`)
    const raw = await openRaw(port, get(`/msg?id=${waiting}`) + get('/livez'))
    await until(() => raw.text().endsWith('ok\n'), 'both are answered')
  })
})
