import type { HubConnection } from '@microsoft/signalr'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { openRaw } from '../../packages/server/test/served-channel.ts'
import { ask, HANDSHAKE, negotiate, openStream, post, startAsking } from '../../packages/server/test/transport-http.ts'
import { until } from '../../packages/server/test/until.ts'
import { documentedConfiguration, hasNginx, NginxProcess } from '../support/nginx-process.ts'
import { type NodeProcess, startNodes } from '../support/node-process.ts'
import {
  buildStock,
  newestLibrary,
  type StockLibrary,
  stockLibraries,
  upTo,
  useHub,
  type Way,
  waitForNode,
  ways,
} from '../support/stock-clients.ts'

const isRequired = process.env['REQUIRE_ENGINES'] === '1'
if (!hasNginx)
  console.log('nginx is not installed here: what goes through it is not tested (scripts/engines.sh does it)')

/** Much shorter than nginx's own timeouts, so that a connection is idle for many of them in little time. */
const KEEP_ALIVE_MS = 150
const POLL_MS = 150

async function start(): Promise<{
  nodes: readonly [NodeProcess, NodeProcess]
  nginx: NginxProcess
  close(): Promise<void>
}> {
  const nodes = (await startNodes(['a', 'b'], {
    keepAliveIntervalMs: KEEP_ALIVE_MS,
    pollTimeoutMs: POLL_MS,
  })) as readonly [NodeProcess, NodeProcess]
  const nginx = await NginxProcess.start([nodes[0].port, nodes[1].port])
  return {
    nodes,
    nginx,
    async close() {
      await nginx.close()
      await Promise.all(nodes.map((node) => node.kill()))
    },
  }
}

it.runIf(isRequired)('nginx is installed', () => {
  expect(hasNginx).toBe(true)
})

it('the documented timeouts and sizes are above those of the server', async () => {
  const { limits } = await import('serverchannel')
  const configuration = documentedConfiguration()
  const seconds = (name: string): number => Number(new RegExp(`\\b${name} (\\d+)s;`).exec(configuration)?.[1])
  expect(seconds('proxy_read_timeout') * 1000).toBeGreaterThan(limits.pollTimeoutMs.default)
  expect(seconds('proxy_read_timeout') * 1000).toBeGreaterThan(2 * limits.keepAliveIntervalMs.default)
  // Node's servers end an idle connection after five.
  expect(seconds('keepalive_timeout')).toBeLessThan(5)
  const [, megabytes] = /client_max_body_size (\d+)m;/.exec(configuration) ?? []
  expect(Number(megabytes) * 1024 * 1024).toBe(limits.requestBytesMax.default)
})

describe.skipIf(!hasNginx)('behind nginx as documented', () => {
  let scene: Awaited<ReturnType<typeof start>>
  let url: string

  beforeAll(async () => {
    scene = await start()
    url = scene.nginx.url
  })

  afterAll(() => scene.close())

  function build(library: StockLibrary, way: Way): HubConnection {
    const connection = buildStock(library, way, `${url}/testhub?user=ada`)
    onTestFinished(() => connection.stop())
    return connection
  }

  describe.each(stockLibraries)('@microsoft/signalr $version', (library) => {
    it.each(ways)('is served over $transport in $protocol', async (way) => {
      await useHub(build(library, way), library, way)
    })
  })

  it.each(ways)('messages of 1 MB come over $transport in $protocol', async (way) => {
    const connection = build(newestLibrary, way)
    const lengths: number[] = []
    connection.on('message', (_, text: string) => lengths.push(text.length))
    await connection.start()
    for (const sent of [1, 2, 3]) {
      await connection.invoke('Flood', 1, 1_000_000)
      await expect.poll(() => lengths.length, { timeout: 10_000, interval: 5 }).toBe(sent)
    }
    expect(lengths).toEqual([1_000_000, 1_000_000, 1_000_000])
    const large = 'é'.repeat(15_000)
    expect(await connection.invoke('Echo', large)).toBe(large)
  })

  it('pings come through, one by one, on a stream and a WebSocket that are idle', async () => {
    const { connectionToken } = await negotiate(`${url}/testhub`)
    const at = `${url}/testhub?id=${connectionToken}`
    const stream = await openStream(at)
    await post(at, HANDSHAKE).answer
    const webSocket = new WebSocket(`${url.replace('http', 'ws')}/testhub`)
    onTestFinished(() => webSocket.terminate())
    const pings: string[] = []
    webSocket.on('message', (data: Buffer) => {
      if (data.toString().includes('"type":6')) pings.push(data.toString())
    })
    webSocket.once('open', () => webSocket.send(HANDSHAKE))
    await until(() => pings.length >= 4, 'the WebSocket has had four pings', 15_000)
    await until(() => stream.text().split('{"type":6}').length > 4, 'the stream has had four pings', 15_000)
    expect([stream.isEnded(), webSocket.readyState]).toEqual([false, WebSocket.OPEN])
    stream.request.destroy()
  })

  it('polls end empty, one after another, and what comes is in the next', async () => {
    const { connectionToken } = await negotiate(`${url}/testhub`)
    const at = `${url}/testhub?id=${connectionToken}`
    await ask(at)
    await post(at, HANDSHAKE).answer
    expect((await ask(at)).text).toBe('{}\x1e')
    for (const _ of upTo(5)) expect(await ask(at)).toMatchObject({ status: 200, text: '' })
    await post(at, '{"type":1,"invocationId":"1","target":"Echo","arguments":[7]}\x1e').answer
    expect((await ask(at)).text).toBe('{"type":3,"invocationId":"1","result":7}\x1e')
    expect((await ask(at, { method: 'DELETE' })).status).toBe(202)
    expect((await ask(at)).status).toBe(404)
  })

  it('a client that sends slowly, byte by byte, is served, and holds nobody up', async () => {
    const { connectionToken } = await negotiate(`${url}/testhub`)
    const at = `${url}/testhub?id=${connectionToken}`
    await ask(at)
    const slow = startAsking(at, { method: 'POST', isOpen: true })
    for (const byte of HANDSHAKE) {
      slow.request.write(byte)
      // Each byte is a packet of its own, and others are served meanwhile.
      expect((await ask(`${url}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })).status).toBe(200)
    }
    expect(slow.isAnswered()).toBe(false)
    slow.request.end()
    expect((await slow.answer).status).toBe(200)
    expect((await ask(at)).text).toBe('{}\x1e')
    expect((await ask(at, { method: 'DELETE' })).status).toBe(202)
  })

  it('no client can pass for a node', async () => {
    const headers = { 'X-ServerChannel-Node': '1 a 0 x x http 127.0.0.1' }
    expect((await ask(`${url}/msg/negotiate?negotiateVersion=1`, { method: 'POST', headers })).status).toBe(200)
    expect((await ask(`${url}/msg/claim?id=1`, { method: 'POST', headers })).status).toBe(403)
  })

  it('pages of the same origin are told by their host and port', async () => {
    const headers = { Origin: url }
    expect((await ask(`${url}/msg/negotiate`, { method: 'POST', headers })).status).toBe(200)
    headers.Origin = 'http://127.0.0.1'
    expect((await ask(`${url}/msg/negotiate`, { method: 'POST', headers })).status).toBe(403)
  })

  it.each([
    ['a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ['two lengths', 'Content-Length: 0\r\nContent-Length: 40\r\n', ''],
    ['a folded header', 'Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'],
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n', '0\r\n\r\n'],
    ['an unknown encoding', 'Transfer-Encoding: x, chunked\r\n', '0\r\n\r\n'],
    ['an upgrade that is refused', 'Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n', ''],
  ])('one request is one request, with %s', async (_, lines, body) => {
    const raw = await openRaw(
      scene.nginx.port,
      `POST /msg?id=x HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n${body}` +
        'GET /msg/smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    )
    await until(raw.isEnded, 'it is answered')
    const statuses = [...raw.text().matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])
    // At most its own answer and that of the request after it, which nginx saw as one too.
    expect(statuses[0]).toMatch(/^(?:400|404|405|501)$/)
    expect(statuses.length).toBeLessThanOrEqual(2)
    expect(raw.text()).not.toContain('HTTP/1.1 200')
  })
})

describe.skipIf(!hasNginx)('a node behind nginx that is killed', () => {
  it('loses its clients to the other one within five seconds, on every transport', { timeout: 60_000 }, async () => {
    const { nodes, nginx, close } = await start()
    const all = ways.flatMap((way) => [1, 2, 3, 4].map(() => buildStock(newestLibrary, way, `${nginx.url}/testhub`)))
    try {
      for (const connection of all) {
        await connection.start()
        // One more request, so that not every WebSocket lands with the same node.
        await fetch(nginx.url)
      }
      const homes = await Promise.all(all.map((connection) => connection.invoke<string>('Node')))
      // The first eight are WebSockets.
      expect(new Set(homes.slice(0, 8))).toEqual(new Set(['a', 'b']))
      expect(new Set(homes.slice(8))).toEqual(new Set(['a', 'b']))
      const { connectionToken } = await negotiate(`${nginx.url}/testhub`)
      await nodes[0].kill()
      expect(Math.max(...(await waitForNode(all, 'b', 10_000)))).toBeLessThan(5000)
      for (const connection of all) {
        const numbers: number[] = []
        connection.on('message', (number: number) => numbers.push(number))
        await connection.invoke('Send', 50, 'x')
        await until(() => numbers.length === 50, 'all messages have come')
        expect(numbers).toEqual(upTo(50))
      }
      await ask(`${nginx.url}/testhub?id=${connectionToken}&access_token=secret`)
      expect(nginx.logs()).toContain('/testhub')
      expect(nginx.logs()).not.toMatch(/id=|access_token/)
    } finally {
      await Promise.all(all.map((connection) => connection.stop()))
      await close()
    }
  })
})
