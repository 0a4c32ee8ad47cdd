import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CliProcess, run, serve } from '../support/cli-process.ts'

let server: { readonly process: CliProcess; readonly url: string }
const listeners: CliProcess[] = []

beforeAll(async () => {
  server = await serve()
})

afterAll(async () => {
  await server.process[Symbol.asyncDispose]()
})

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener[Symbol.asyncDispose]()
})

/** `serverchannel listen`, once it is connected. */
async function listen(...args: string[]): Promise<CliProcess> {
  const listener = new CliProcess(['listen', '--url', server.url, ...args])
  listeners.push(listener)
  await listener.note('open')
  return listener
}

const post = (...args: string[]): ReturnType<typeof run> => run(['post', '--url', server.url, ...args])

describe('serverchannel post and listen', () => {
  it('brings a text from one terminal to another', async () => {
    const listener = await listen('--count', '1')
    const { code, out } = await post('SomeMessageId', 'My message value')
    expect(code).toBe(0)
    expect(out).toMatch(/^Posted at .+:\d+ \(memory\), to 1 connection\.\n$/)
    expect(await listener.exit()).toBe(0)
    expect(listener.out).toContain('SomeMessageId  My message value')
  })

  it('posts to a user only, and any JSON value with --json-body', async () => {
    const ann = new CliProcess(['listen', '--url', server.url, '--json', '--count', '2', '--user', 'ann'])
    listeners.push(ann)
    await expect.poll(async () => (await post('Probe', '--user', 'ann')).out).toContain('to 1 connection')
    expect((await post('ForBob', 'x', '--user', 'bob', '--json')).code).toBe(0)
    const { out } = await post('ForAnn', '[1,{"a":"b"}]', '--json-body', '--user', 'ann', '--json')
    expect(JSON.parse(out)).toMatchObject({ connections: 1, durability: 'memory' })
    expect(await ann.exit()).toBe(0)
    const [, message] = await ann.lines(2)
    expect(JSON.parse(message ?? '')).toMatchObject({ Header: { Sender: 'ForAnn' }, Body: [1, { a: 'b' }] })
    expect(ann.out).not.toContain('ForBob')
  })

  it('keeps hostile text from steering the terminal', async () => {
    const listener = await listen('--count', '1', 'Hostile')
    await post('Hostile', 'a\u001b[2Jb\u0007\nc')
    await listener.exit()
    expect(listener.out).toContain('a\\u001b[2Jb\\u0007\\u000ac')
  })

  it('posts many from standard input in their order, and the same id once', async () => {
    const listener = await listen('--json', '--count', '1000', 'Many')
    const lines = Array.from({ length: 1000 }, (_, n) => `{"sender":"Many","body":${n},"id":"many-${n}"}\n`).join('')
    const first = await run(['post', '--url', server.url, '--ndjson', '--json'], {}, lines)
    expect(first.code).toBe(0)
    expect(await listener.exit()).toBe(0)
    const bodies = (await listener.lines(1000)).map((line) => (JSON.parse(line) as { Body: number }).Body)
    expect(bodies).toEqual(Array.from({ length: 1000 }, (_, n) => n))
    const again = await run(['post', '--url', server.url, '--ndjson', '--json'], {}, lines)
    const positions = (text: string): string[] =>
      text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { position: string }).position)
    expect(positions(again.out)).toEqual(positions(first.out))
  })

  it('begins after a position that is given', async () => {
    const { out } = await post('Earlier', '1', '--json')
    await post('Later', '2')
    const { position } = JSON.parse(out) as { position: string }
    const listener = new CliProcess(['listen', '--url', server.url, '--json', '--count', '1', '--position', position])
    listeners.push(listener)
    await listener.exit()
    expect(JSON.parse(listener.out)).toMatchObject({ Header: { Sender: 'Later' }, Body: '2' })
  })

  it('posts with a key, of which a page that was away gets the newest only', async () => {
    const first = await post('Before', '--json')
    for (const body of ['1', '2']) {
      const { code } = await post('Saved', body, '--key', 'order:42', '--interval-ms', '60000')
      expect(code).toBe(0)
    }
    await post('Saved', 'other', '--key', 'order:43')
    const { position } = JSON.parse(first.out) as { position: string }
    const listener = new CliProcess(['listen', '--url', server.url, '--json', '--count', '2', '--position', position])
    listeners.push(listener)
    await listener.exit()
    const bodies = (await listener.lines(2)).map((line) => (JSON.parse(line) as { Body: string }).Body)
    expect(bodies).toEqual(['2', 'other'])
  })

  it.each([
    [['post'], 'sender_invalid'],
    [['post', 'A', 'x', '--interval-ms', '50'], 'message_invalid'],
    [['post', 'A', 'x', '--key', 'k', '--interval-ms', 'soon'], 'message_invalid'],
    [['post', 'A', '{', '--json-body'], 'body_not_json'],
    [['post', 'A', 'x', '--ttl-ms', '-5'], 'ttl_invalid'],
    [['post', 'x'.repeat(300)], 'sender_invalid'],
  ])('says what is wrong with %j', async (args, code) => {
    const result = await run([...args, '--url', server.url])
    expect(result.code).toBe(1)
    expect(result.err).toContain(code)
  })

  it('names the line of standard input that is wrong', async () => {
    const result = await run(['post', '--url', server.url, '--ndjson'], {}, '{"sender":"A"}\n{"sender":""}\n')
    expect(result.code).toBe(1)
    expect(result.err).toContain('Line 2')
  })

  it('says that nobody answers', async () => {
    const result = await run(['post', 'A', '--url', 'http://127.0.0.1:1'])
    expect(result.code).toBe(1)
    expect(result.err).toContain('server_unreachable')
  })
})
