import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { hasMono, MonoProgram } from '../support/mono.ts'
import { type Received, type Receiver, receive } from '../support/receiver.ts'
import { startSeedServer } from '../support/seed-page.ts'

const isRequired = process.env['REQUIRE_ENGINES'] === '1'
if (!hasMono) console.log('mono is not installed here: the C# client is not tested (scripts/engines.sh installs it)')

const ANN = '00000000-0000-0000-0000-00000000000a'

let program: MonoProgram
let seed: MonoProgram

async function open(options: { port?: number } = {}): Promise<{ channel: ServerChannel; url: string; port: number }> {
  const channel = await createServerChannel({ development: true })
  onTestFinished(() => channel.close())
  return { channel, ...(await channel.listen(options)) }
}

async function listen(url: string, user?: string): Promise<Receiver> {
  const receiver = await receive(`${url}/msg${user === undefined ? '' : `?user=${user}`}`)
  onTestFinished(() => receiver.close())
  return receiver
}

function documentedProgram(): string {
  const page = readFileSync(fileURLToPath(new URL('../../docs/csharp.md', import.meta.url)), 'utf8')
  const [, text] = /^```csharp\n(.*?)^```$/ms.exec(page) ?? []
  if (text === undefined) throw new Error('docs/csharp.md has no program')
  return text
}

const bodies = (messages: readonly Received[]): readonly unknown[] => messages.map(({ Body }) => Body)

// Mono can wait for an idle thread of its pool when a program has ended, once in forty times, for up to a minute.
const TEST_MS_MAX = 100_000

describe.skipIf(!hasMono && !isRequired)('MsgChannelUtilities.cs', { timeout: TEST_MS_MAX }, () => {
  beforeAll(async () => {
    ;[program, seed] = await Promise.all([MonoProgram.compile('Program.cs'), MonoProgram.compile('Seed.cs')])
  }, 60_000)

  afterAll(() => {
    program.remove()
    seed.remove()
  })

  it('posts the seed’s line, as it stands, to a page in Chromium', async () => {
    const server = await startSeedServer()
    onTestFinished(() => server.close())
    const browser = await launchBrowser()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${server.port}/`)
    const handled = (): Promise<unknown[]> =>
      page.evaluate(() => (window as unknown as { handled: { value: unknown }[] }).handled.map(({ value }) => value))
    await expect.poll(() => page.evaluate(() => (window as unknown as { opened: unknown[] }).opened.length)).toBe(1)
    const run = await seed.run([], `http://127.0.0.1:${server.port}`)
    expect(run).toEqual({ code: 0, out: '', err: '' })
    await expect.poll(handled, { timeout: 10_000 }).toEqual(['My message value'])
  })

  it('brings any value as itself, also where decimals have a comma', async () => {
    const { url } = await open()
    const receiver = await listen(url)
    expect(await program.run(['bodies'], url)).toMatchObject({ code: 0, err: '' })
    const order = { Amount: 9.9, At: '2026-11-25T01:02:03.0000000Z', Id: ANN, Number: 1, Stage: 3 }
    const parent = { Amount: 0, At: '0001-01-01T00:00:00.0000000', Id: ANN.replace('a', '0'), Number: 2, Stage: 0 }
    const expected = [
      ...['', 'null', '5', 'abc', 'Quotes " and \\ and \u2028 and 😀', '\ud800 alone', '\u0000\u001f'],
      ...[null, true, 42, -7, 1.5, 0.1, 1e300, 12.34, 'c', [1, 2], ['a', null, []]],
      JSON.parse('{"__proto__":1,"a\\"b":["x"]}'),
      { Id: 1, Names: ['a', 'b'] },
      { ...order, customer_name: "O'Hara", Parent: { ...parent, customer_name: null, Parent: null } },
      ...['AQID', { ClassName: 'System.InvalidOperationException', Message: 'It broke' }],
    ]
    const received = bodies(await receiver.take(expected.length))
    expect(received).toEqual(expected)
  })

  it('says at once what can’t be posted', async () => {
    const { url } = await open()
    const receiver = await listen(url)
    const { code, out } = await program.run(['refused'], url)
    const lines = out.trimEnd().split('\n')
    expect(code).toBe(0)
    for (const line of lines.slice(0, 3)) expect(line).toContain('1 to 256 characters')
    expect(lines.slice(3)).toEqual([
      expect.stringContaining('nests deeper than 64 levels'),
      expect.stringContaining("can't hold the number"),
      expect.stringContaining('nothing that JSON can hold'),
      expect.stringContaining("needs a user connection or a user's id"),
      expect.stringContaining('is empty'),
      expect.stringContaining('is empty'),
      expect.stringContaining('has no CurrentUser.Id'),
      expect.stringContaining('has no CurrentUser.Id'),
      expect.stringContaining('One person starts a process'),
      expect.stringContaining('is not the url of a server'),
      'taken',
    ])
    expect(bodies(await receiver.take(1))).toEqual(['x'])
  })

  it('posts to users by connection, id or list, and for a background process to who started it', async () => {
    const { url } = await open()
    const receiver = await listen(url, ANN)
    expect(await program.run(['audiences'], url)).toMatchObject({ code: 0, err: '' })
    const expected = ['user connection', 'guid', 'text', 'several', 'on behalf', 'on behalf, later', 'end']
    expect(bodies(await receiver.take(expected.length))).toEqual(expected)
  })

  it('posts in the order of the calls, and all before the process ends', async () => {
    const { url } = await open()
    const receiver = await listen(url)
    expect(await program.run(['many', '5000'], url)).toMatchObject({ code: 0 })
    expect(bodies(await receiver.take(5000))).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1))
  })

  it('gives the receipt to who awaits it, and one position for one id', async () => {
    const { url } = await open()
    const { out } = await program.run(['receipt'], url)
    expect(out).toMatch(/^[0-9a-f-]{36} [^ ]+:1 memory 0\nTrue\n$/)
  })

  it('carries key, interval, time to live, id and type', async () => {
    const lines: string[] = []
    const server = createServer((request, response) => {
      request.on('data', (data: Buffer) => lines.push(data.toString()))
      request.on('end', () => response.writeHead(201).end('{"id":"id-1","position":"e:1","durability":"memory"}\n'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    await program.run(['options'], `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    expect(JSON.parse(lines.join(''))).toEqual({
      sender: 'Options',
      id: 'id-1',
      to: { all: true, except: ['c1'] },
      key: 'order:42',
      intervalMs: 1500,
      ttlMs: 60_000,
      bodyTypeName: 'Order',
      body: 1,
    })
  })

  it('posts each message once where connections are cut before the answer', async () => {
    const { url, port } = await open()
    const proxy = new CuttingProxy(port)
    const proxyPort = await proxy.listen()
    onTestFinished(() => proxy.close())
    const receiver = await listen(url)
    // The request is through, and the answer is not.
    proxy.cutAfter(20, 'client')
    expect(await program.run(['many', '2000'], `http://127.0.0.1:${proxyPort}`)).toMatchObject({ code: 0 })
    expect(bodies(await receiver.take(2000))).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1))
    expect(proxy.connections).toBeGreaterThan(1)
  })

  it('waits for a server that is not there yet', async () => {
    const { channel, port, url } = await open()
    await channel.close()
    const run = program.run(['many', '10'], url)
    const later = await open({ port })
    const receiver = await listen(later.url)
    expect(await run).toMatchObject({ code: 0 })
    expect(later.channel.position).toMatch(/:10$/)
    await receiver.close()
  })

  it('does not try again what stays wrong, and says it to whoever listens', async () => {
    const channel = await createServerChannel({ apiKeys: ['a key of sixteen and more'], authenticate: () => ({}) })
    onTestFinished(() => channel.close())
    const { url } = await channel.listen()
    const { out, err } = await program.run(['wrong-key', url])
    expect(out).toMatch(/^key_rejected False .*\nLost key_rejected\n$/)
    expect(err).toBe('')
  })

  it('gives up on a server that is not there after the time that was set', async () => {
    const { out } = await program.run(['unreachable'])
    expect(out).toMatch(/^server_unreachable True There is no answer from http:\/\/127\.0\.0\.1:9: .+\nTrue\n$/)
  })

  it('lets one message that is wrong cost no other', async () => {
    const { url } = await open()
    const receiver = await listen(url)
    const { out } = await program.run(['one-is-wrong'], url)
    const outcomes = out.trimEnd().split('\n')
    expect(outcomes.map((line) => line.split(' ')[0])).toEqual([
      'posted',
      'posted',
      'message_invalid',
      'posted',
      'posted',
    ])
    expect(bodies(await receiver.take(4))).toEqual([1, 2, 4, 5])
  })

  it('refuses more than may wait', async () => {
    const { out } = await program.run(['too-many'])
    expect(out).toMatch(/^too_many_posts True 2 posts wait for/)
  })

  it('is used as its page in the docs says', async () => {
    const { url } = await open()
    const receiver = await listen(url, ANN)
    const documented = await MonoProgram.compileText(documentedProgram())
    onTestFinished(() => documented.remove())
    const run = await documented.run([url, ANN])
    expect(run).toMatchObject({ code: 0, err: '' })
    expect(run.out).toMatch(/^In the log at [^ ]+:5\n$/)
    expect(bodies(await receiver.take(5))).toEqual([
      'My message value',
      [1, 2, 3],
      { id: 42, status: 'approved' },
      'The forecast is ready',
      { id: 42 },
    ])
  })

  it('says what to do where nobody said where messages go', async () => {
    const { code, err } = await seed.run([])
    expect(code).not.toBe(0)
    expect(err).toContain('SERVERCHANNEL_URL')
  })
})
