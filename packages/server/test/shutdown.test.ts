import { describe, expect, it } from 'vitest'
import { openClient, openRaw, serveChannel, UPGRADE_HEAD } from './served-channel.ts'
import { ask } from './transport-http.ts'
import { until } from './until.ts'

const SHUTDOWN = {
  type: 7,
  error: 'server_shutdown: The server is going down; connect again.',
  allowReconnect: true,
}

describe('closing a channel', () => {
  it('tells every client that it may come back, with all that was posted before, and a close of 1000', async () => {
    const { channel, port } = await serveChannel()
    const clients = await Promise.all([1, 2, 3].map(() => openClient(port)))
    await channel.postMessageToAll('Last', 'last')
    await channel.close()
    for (const { records, closed, bodies } of clients) {
      expect(await closed).toBe(1000)
      expect(bodies()).toEqual(['last'])
      expect(JSON.parse(records.at(-1) ?? '')).toEqual(SHUTDOWN)
    }
    expect(channel.connectionCount).toBe(0)
  })

  it('tells a client in the middle of its handshake', async () => {
    const { channel, port } = await serveChannel()
    const { records, closed } = await openClient(port, '/msg', false)
    await channel.close()
    expect(await closed).toBe(1000)
    expect(records).toEqual(['{"error":"Handshake was canceled."}'])
  })

  it('may be asked for more than once, and ends only when all is over', async () => {
    const { channel, port } = await serveChannel()
    const { closed } = await openClient(port)
    let order = ''
    const seen = closed.then(() => {
      order += 'client '
    })
    await Promise.all([channel.close(), channel.close()]).then(() => {
      order += 'channel'
    })
    await seen
    await channel.close()
    expect(order.split(' ')).toHaveLength(2)
  })

  it('does not wait for connections that clients opened ahead and never used', async () => {
    const { channel, port, url } = await serveChannel({ closeTimeoutMs: 60_000 })
    const ahead = await openRaw(port)
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    await channel.close()
    await until(ahead.isEnded, 'it is ended')
  })

  it('frees the port', async () => {
    const { channel, port } = await serveChannel()
    await channel.close()
    const again = await serveChannel()
    await expect(again.channel.listen({ port })).resolves.toMatchObject({ port })
  })

  it.each([
    ['says nothing', ''],
    ['is in the middle of its head', 'POST /api/messages HTTP/1.1\r\nHost: localh'],
    [
      'is in the middle of its body',
      'POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ],
    ['is in the middle of an upgrade', UPGRADE_HEAD],
    ['never answers the close', `${UPGRADE_HEAD}\r\n`],
  ])('does not wait longer than its timeout for a client that %s', async (_, bytes) => {
    const { channel, port } = await serveChannel({ development: true, closeTimeoutMs: 200 })
    const raw = await openRaw(port, bytes)
    if (bytes.endsWith('\r\n\r\n') && bytes.startsWith('GET')) {
      await until(() => channel.connectionCount === 1, 'the WebSocket is open')
    } else await ask(`http://127.0.0.1:${port}/livez`)
    const start = performance.now()
    await channel.close()
    expect(performance.now() - start).toBeLessThan(3000)
    await until(raw.isEnded, 'the server has ended the connection')
  })

  it('waits for a post that is under way, and takes none after it', async () => {
    const { channel, url } = await serveChannel({ development: true })
    const posting = channel.postMessageToAll('A')
    const closing = channel.close()
    await expect(posting).resolves.toMatchObject({ connections: 0 })
    await closing
    await expect(channel.postMessageToAll('B')).rejects.toMatchObject({ code: 'channel_closed' })
    await expect(ask(`${url}/livez`)).rejects.toThrow()
  })
})

describe('a post that nobody awaits', () => {
  it('is counted and logged where it fails, and ends nothing', async () => {
    const { channel } = await serveChannel()
    void channel.postMessageToAll('')
    void channel.post({ sender: 'A', body: 1n })
    await until(() => channel.failedPosts === 2, 'both failures are counted')
  })

  it('is that of the caller alone where he awaits it', async () => {
    const { channel } = await serveChannel()
    await expect(channel.postMessageToAll('')).rejects.toMatchObject({ code: 'sender_invalid' })
    await channel.postMessageToAll('').catch(() => {})
    await channel
      .postMessageToAll('')
      .finally(() => {})
      .catch(() => {})
    expect(channel.failedPosts).toBe(0)
  })

  it('ends nothing where it is not even a post', async () => {
    const { channel } = await serveChannel()
    for (const nonsense of [undefined, null, 7, 'x']) void channel.post(nonsense as never)
    await until(() => channel.failedPosts === 4, 'the failures are counted')
  })
})
