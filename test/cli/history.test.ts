import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@serverchannel/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { run, serve } from '../support/cli-process.ts'

async function start(
  args: readonly string[] = [],
  environment = {},
): Promise<{ url: string; end: () => Promise<void> }> {
  const { process, url } = await serve(args, environment)
  const end = (): Promise<void> => process[Symbol.asyncDispose]()
  onTestFinished(end)
  return { url, end }
}

async function post(url: string, lines: readonly object[]): Promise<void> {
  const response = await fetch(`${url}/api/messages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  })
  expect(response.status).toBe(201)
}

const numbers = (count: number): object[] =>
  Array.from({ length: count }, (_, n) => ({
    sender: n % 2 ? 'Odd' : 'Even',
    body: n,
    to: n % 3 ? 'all' : { users: 'ann' },
  }))

/** Each run of the command is a process. */
const LONG = { timeout: 60_000 }

describe('serverchannel history', LONG, () => {
  it('prints all that the log keeps, over as many requests as it takes', async () => {
    const { url } = await start(['--history-read-max', '7'])
    await post(url, numbers(50))
    const { code, out, err } = await run(['history', '--url', url, '--json'])
    const messages = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { Body: unknown; Position: string })
    expect([code, messages.map(({ Body }) => Body)]).toEqual([0, Array.from({ length: 50 }, (_, n) => n)])
    expect(err).toContain(messages.at(-1)?.Position)
  })

  it('takes a position, a sender, a user and a limit', async () => {
    const { url } = await start(['--history-read-max', '7'])
    await post(url, numbers(50))
    const read = async (...args: string[]): Promise<string[]> => {
      const { out } = await run(['history', '--url', url, ...args])
      return out.trim().split('\n')
    }
    const first = await read('--limit', '9')
    expect(first).toHaveLength(9)
    const position = first.at(-1)?.split('  ')[0] ?? ''
    const rest = await read('--after', position)
    expect(rest).toHaveLength(41)
    expect(rest[0]).toMatch(/ {2}Odd {2}9$/)
    expect(await read('--sender', 'Odd')).toHaveLength(25)
    expect(await read('--user', 'bob')).toHaveLength(33)
    expect(await read('--user', 'ann', '--sender', 'Even', '--limit', '5')).toHaveLength(5)
  })

  it('says that what was asked for is gone', async () => {
    const { url } = await start(['--history-count-max', '5'])
    await post(url, numbers(20))
    const { out, err } = await run(['history', '--url', url, '--after', 'another:3'])
    expect(out.trim().split('\n')).toHaveLength(5)
    expect(err).toContain('epoch-changed')
  })

  it.each([
    [['--limit', 'many'], '--limit'],
    [['--after', 'nonsense'], 'position'],
    [['--url', 'nonsense'], 'nonsense'],
    [['--url', 'http://127.0.0.1:9'], 'Is the server running'],
  ])('says what is wrong with %j', async (args, expected) => {
    const { url } = await start()
    const { code, err } = await run(['history', '--url', url, ...args])
    expect(code).toBe(1)
    expect(err).toContain(expected)
    expect(err).not.toContain('    at ')
  })

  it('needs a key where posting does', async () => {
    const { url } = await start([], {
      SERVERCHANNEL_USER_TOKEN_SECRET: 'a-secret-of-thirty-two-characters-or-more',
      SERVERCHANNEL_API_KEYS: 'a-key-of-sixteen-characters',
    })
    expect((await run(['history', '--url', url])).err).toContain('key_rejected')
    const { code } = await run(['history', '--url', url], { SERVERCHANNEL_API_KEY: 'a-key-of-sixteen-characters' })
    expect(code).toBe(0)
  })
})

describe('serverchannel serve, on a file', LONG, () => {
  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'serverchannel-serve-'))
    onTestFinished(() => rmSync(path, { recursive: true, force: true }))
    return path
  }

  it.each(['SIGTERM', 'SIGKILL'] as const)('is the same log after %s: a client gets what it missed', async (signal) => {
    const store = `sqlite:${join(folder(), 'a/messages.db')}`
    const first = await serve(['--store', store])
    const port = new URL(first.url).port
    const channel = connect(`${first.url.replace('http', 'ws')}/msg`, {
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    })
    onTestFinished(() => channel.close())
    const bodies: unknown[] = []
    const recoveries: unknown[] = []
    channel.on('Number', (body) => bodies.push(body))
    channel.onStateChange((state, { recovered }) => state === 'open' && recoveries.push(recovered))
    await channel.ready()
    await post(first.url, [{ sender: 'Number', body: 1 }])
    await until(() => bodies.length === 1, 'the first has come')
    first.process.kill(signal)
    await first.process.exit()
    // Somewhere else in the meantime, so that something is missed.
    const between = await start(['--store', store])
    await post(between.url, [{ sender: 'Number', body: 2 }])
    await between.end()
    await start(['--store', store, '--port', port])
    await until(() => bodies.length === 2, 'the client has what it missed', 20_000)
    expect(bodies).toEqual([1, 2])
    await until(() => recoveries.length === 2, 'the client is open again')
    expect(recoveries).toEqual([undefined, true])
  })

  it('refuses a file that another process has, and says so', async () => {
    const file = join(folder(), 'messages.db')
    await start(['--store', `sqlite:${file}`])
    const { code, err } = await run(['serve', '--port', '0', '--store', `sqlite:${file}`])
    expect([code, err]).toEqual([1, expect.stringContaining('Another process has')])
  })

  it.each([
    [['--store', 'sqlite:'], 'names no file'],
    [['--store', 'memory:', '--durability', 'synced'], "can't be 'synced'"],
    [['--store', 'sqlite:/dev/null/messages.db'], '/dev/null'],
    [['--store', `sqlite:${import.meta.filename}`], 'no SQLite database'],
    [['--durability', 'replicated'], 'synced'],
  ])('says what is wrong with %j', async (args, expected) => {
    const { code, err } = await run(['serve', '--port', '0', ...args])
    expect(code).toBe(1)
    expect(err).toContain(expected)
    expect(err).not.toContain('    at ')
  })

  it('says the level that it reached, on the receipt and to whoever asks whether it is ready', async () => {
    const file = join(folder(), 'messages.db')
    const { url } = await start(['--store', `sqlite:${file}`, '--durability', 'synced'])
    expect((await run(['post', 'A', '--url', url])).out).toContain('synced')
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ ready: true, durability: 'synced' })
    expect(existsSync(file)).toBe(true)
  })
})
