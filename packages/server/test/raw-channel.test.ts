// The channel as Creatio's .NET Framework edition has it: plain WebSockets, a message as JSON in each frame. PARITY 3.
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { ownConnections } from '../src/channel/client-message.ts'
import type { ServerChannelOptions } from '../src/options.ts'
import { openClient, type ServedChannel, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

const PATH = '/0/Nui/ViewModule.aspx.ashx'

interface RawClient {
  readonly socket: WebSocket
  /** What came, a frame each. */
  readonly frames: string[]
  pings: number
  readonly closed: Promise<number>
}

/** A client that knows nothing but WebSockets and JSON. */
async function openRaw({ port }: ServedChannel, query = ''): Promise<RawClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${PATH}${query}`)
  onTestFinished(() => socket.terminate())
  const client = {
    socket,
    frames: [] as string[],
    pings: 0,
    closed: new Promise<number>((resolve) => socket.once('close', resolve)),
  }
  socket.on('message', (data: Buffer, isBinary) => client.frames.push(isBinary ? 'binary' : data.toString()))
  socket.on('ping', () => client.pings++)
  socket.on('error', () => {})
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return client
}

const serve = (options: ServerChannelOptions = {}): Promise<ServedChannel> =>
  serveChannel({ development: true, rawPath: PATH, clientMessagePolicy: ownConnections, ...options })

/** Whole numbers below a bound, the same for the same seed. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

interface Envelope {
  readonly Id: string
  readonly Header: { readonly Sender: string; readonly BodyTypeName?: string }
  readonly Body: unknown
}

const parse = (frame: string | undefined): Envelope => JSON.parse(frame ?? '') as Envelope
const bodies = ({ frames }: RawClient): unknown[] => frames.map((frame) => parse(frame).Body)

describe('the plain WebSocket', () => {
  it('brings each message in a frame of its own, as it is and no more', async () => {
    const served = await serve()
    const [one, two] = [await openRaw(served), await openRaw(served)]
    const posted = ['', 'null', '5', [1, 2], { id: 42 }, '😀', '\ud83d', 'a\u001eb', null, 'x'.repeat(100_000)]
    // All in one turn, so that they would be one piece on the hub.
    await Promise.all(posted.map((body) => served.channel.postMessageToAll('Order', body)))
    for (const client of [one, two]) {
      await until(() => client.frames.length === posted.length, 'all have come')
      expect(bodies(client)).toEqual(posted)
      expect(Object.keys(parse(client.frames[0])).sort()).toEqual(['Body', 'Header', 'Id', 'Position'])
      expect(parse(client.frames[0]).Header).toEqual({ Sender: 'Order' })
    }
  })

  it('brings a user what is for that user', async () => {
    const served = await serve()
    const [ann, bob] = [await openRaw(served, '?user=ann'), await openRaw(served, '?user=bob')]
    await served.channel.postMessage('ann', 'Order', 1)
    await served.channel.postMessageToAll('Order', 2)
    await until(() => bob.frames.length === 1, 'what is for all has come')
    expect([bodies(ann), bodies(bob)]).toEqual([[1, 2], [2]])
  })

  it('brings what a client missed that says where it left off', async () => {
    const served = await serve()
    const { position } = served.channel
    await served.channel.postMessageToAll('Order', 1)
    const client = await openRaw(served, `?position=${position}`)
    await served.channel.postMessageToAll('Order', 2)
    await until(() => client.frames.length >= 2, 'both have come')
    expect(bodies(client)).toEqual([1, 2])
  })

  it('answers the ping of the console', async () => {
    const client = await openRaw(await serve())
    const envelope = { Id: '', Header: { Sender: 'ConsoleCommand', BodyTypeName: 'System.String' }, Body: 'ping' }
    client.socket.send(JSON.stringify(envelope))
    await until(() => client.frames.length === 1, 'the answer has come')
    expect(parse(client.frames[0])).toEqual({
      Id: expect.stringMatching(/^[\da-f-]{36}$/) as string,
      Header: { Sender: 'CommandService', BodyTypeName: 'System.String' },
      Body: 'pong',
    })
  })

  it('takes messages as the hub does, for clients of either', async () => {
    const served = await serve()
    const sender = await openRaw(served, '?user=ann')
    const hub = await openClient(served.port, '/msg?user=ann')
    sender.socket.send(JSON.stringify({ Header: { Sender: 'PTPMsg' }, Body: { draft: 7 } }))
    await until(() => hub.bodies().length === 1 && sender.frames.length === 1, 'both have it')
    expect([hub.bodies(), bodies(sender)]).toEqual([[{ draft: 7 }], [{ draft: 7 }]])
  })

  it.each([
    ['{"Header":{"Sender":"Order"},"Body":1}', /^message_refused: /],
    ['{"Header":{"Sender":"CommandService"}}', /^sender_reserved: /],
    ['ping', /^message_invalid: The raw message is not JSON/],
    ['', /^message_invalid: /],
    ['{"type":6}\u001e', /^message_invalid: /],
  ])('says why it does not take %j, and goes on', async (text, reason) => {
    const served = await serve()
    const client = await openRaw(served)
    client.socket.send(text)
    await until(() => client.frames.length === 1, 'the reason has come')
    expect(parse(client.frames[0]).Header.Sender).toBe('CommandService')
    expect(parse(client.frames[0]).Body).toMatch(reason)
    await served.channel.postMessageToAll('Order', 1)
    await until(() => client.frames.length === 2, 'the next has come')
  })

  it('ends with the reason where a message is too large', async () => {
    const client = await openRaw(await serve({ receivedMessageBytesMax: 256 }))
    client.socket.send('é'.repeat(129))
    expect(await client.closed).toBe(1000)
    expect(parse(client.frames[0]).Header.Sender).toBe('CommandService')
  })

  it('lives on, whatever comes', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
    const served = await serve({ clientMessagesBurst: 10_000, clientMessagesPerSecond: 10_000 })
    const random = createRandom(seed)
    const pieces = [
      '{"Header":',
      '{"Sender":',
      '"ConsoleCommand"',
      '}',
      '[',
      ']',
      'null',
      '\u001e',
      '"',
      '\ud83d',
      '0',
      ',',
    ]
    for (let client = 0; client < 5; client++) {
      const { socket } = await openRaw(served)
      for (let sent = 0; sent < 100; sent++) {
        const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join('')
        const bytes = Buffer.from(Array.from({ length: random(40) }, () => random(256)))
        socket.send(random(3) === 0 ? bytes : text)
      }
    }
    const client = await openRaw(served)
    await served.channel.postMessageToAll('Order', `seed ${seed}`)
    await until(() => client.frames.length === 1, `the server serves on (seed ${seed})`)
    expect(bodies(client)).toEqual([`seed ${seed}`])
  })

  it('pings a client that hears nothing, and leaves one alone that says nothing', async () => {
    const served = await serve({ keepAliveIntervalMs: 100, clientTimeoutMs: 200 })
    const client = await openRaw(served)
    await until(() => client.pings >= 2, 'two pings have come')
    expect([client.frames, client.socket.readyState]).toEqual([[], WebSocket.OPEN])
  })

  it('says on the way down that the client may come back', async () => {
    const served = await serve()
    const client = await openRaw(served)
    await served.channel.close()
    expect(await client.closed).toBe(1000)
    expect(parse(client.frames[0]).Body).toMatch(/^server_shutdown: /)
  })

  it('is not there unless it is asked for', async () => {
    await expect(openRaw(await serveChannel())).rejects.toThrow()
  })

  it('has a path of its own', async () => {
    await expect(serveChannel({ rawPath: '/msg' })).rejects.toThrow(/at '\/msg' already/)
    await expect(serveChannel({ rawPath: 'raw/' })).rejects.toThrow(/'rawPath'/)
  })
})

describe('application info', () => {
  const INFO = '/ServiceModel/ApplicationInfoService.svc/GetApplicationInfo'

  async function ask({ url }: ServedChannel, path = INFO, init: RequestInit = {}): Promise<unknown> {
    const response = await fetch(url + path, { method: 'POST', body: '{}', ...init })
    return response.ok ? response.json() : response.status
  }

  it('tells where the hub is, and the plain WebSocket as the other edition asks for it', async () => {
    const served = await serve({ applicationInfo: true })
    const { host } = new URL(served.url)
    const answer = (serviceUrl: string, clientConnectionClassName: string): object => ({
      success: true,
      applicationInfo: { serviceUrl, clientConnectionClassName },
    })
    expect(await ask(served)).toEqual(answer(`http://${host}/msg`, 'Terrasoft.SignalRChannel'))
    expect(await ask(served, `/0${INFO}`)).toEqual(answer(`ws://${host}${PATH}`, 'Terrasoft.WebSocketChannel'))
    expect(await ask(served, INFO, { headers: { 'X-Forwarded-Proto': 'https' } })).toEqual(
      answer(`https://${host}/msg`, 'Terrasoft.SignalRChannel'),
    )
  })

  it('leads to connections that work', async () => {
    const served = await serve({ applicationInfo: true })
    const { applicationInfo } = (await ask(served, `/0${INFO}`)) as { applicationInfo: { serviceUrl: string } }
    expect(applicationInfo.serviceUrl.endsWith(PATH)).toBe(true)
    const socket = new WebSocket(applicationInfo.serviceUrl)
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    socket.terminate()
  })

  it.each([
    ['nobody asked for it', {}, INFO, {}, 404],
    ['there is no plain WebSocket', { applicationInfo: true, rawPath: undefined }, `/0${INFO}`, {}, 404],
    ['it is no POST', { applicationInfo: true }, INFO, { method: 'GET', body: null }, 405],
    [
      'a page of another site asks',
      { applicationInfo: true },
      INFO,
      { headers: { Origin: 'https://evil.example' } },
      403,
    ],
  ])('is not given where %s', async (_why, options, path, init, status) => {
    expect(await ask(await serve(options), path, init)).toBe(status)
  })
})
