import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CliProcess, serve } from './support/cli-process.ts'
import { blocks, runModule as runWith, type Surroundings } from './support/doc-blocks.ts'
import { describePostgres } from './support/postgres-scene.ts'
import { receive } from './support/receiver.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const DEFAULT_ADDRESS = /http:\/\/127\.0\.0\.1:8787/g
const hasCurl = spawnSync('curl', ['--version']).status === 0

let server: { readonly process: CliProcess; readonly url: string }

beforeAll(async () => {
  server = await serve()
})

afterAll(async () => {
  await server.process[Symbol.asyncDispose]()
})

/** Runs a block in a process that has no channel, and knows of this test's server. */
function runModule(source: string, around: Surroundings = {}): ReturnType<typeof runWith> {
  return runWith(source, { ...around, environment: { SERVERCHANNEL_URL: server.url } })
}

/** Commands of a page's shell blocks, without their comments. */
function commands(page: string, beginning: string): string[] {
  return blocks(page, 'sh')
    .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line.startsWith(beginning) || line.includes(`| ${beginning}`))
}

/** Runs a command line as a reader would type it, against this test's server. */
function runLine(
  line: string,
  environment: Record<string, string> = {},
): { status: number | null; out: string; err: string } {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-'))
  writeFileSync(join(folder, 'messages.ndjson'), '{"sender":"A","body":1}\n{"sender":"B","body":[2]}\n')
  const bin = join(root, 'packages/server/bin/serverchannel.js')
  const text = line
    .replaceAll('npx serverchannel', `'${process.execPath}' '${bin}'`)
    .replace(DEFAULT_ADDRESS, server.url)
  const { status, stdout, stderr } = spawnSync('sh', ['-c', text], {
    cwd: folder,
    env: { ...process.env, SERVERCHANNEL_URL: server.url, ...environment },
    encoding: 'utf8',
    timeout: 15_000,
  })
  return { status, out: stdout, err: stderr }
}

describe('the README', () => {
  const [seed = '', ownServer = '', page = ''] = blocks('README.md', 'ts')

  it("posts with the seed's statement", async () => {
    const receiver = await receive(`${server.url}/msg`)
    expect(await runModule(seed)).toEqual({ code: 0, out: '', err: '' })
    expect((await receiver.take(1))[0]).toMatchObject({ Header: { Sender: 'SomeMessageId' }, Body: 'My message value' })
    await receiver.close()
  })

  it('attaches a channel to a server', async () => {
    expect(ownServer).toContain('listen(3000)')
    const after = 'console.log(channel.position); await channel.close(); httpServer.close()'
    const { code, out, err } = await runModule(ownServer.replace('listen(3000)', 'listen(0)'), { after })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/:3\n$/)
  })

  it("uses the page's client", async () => {
    const before = `
      import { WebSocket } from 'ws'
      globalThis.WebSocket = WebSocket
      globalThis.location = { href: '${server.url}/' }`
    const after = `
      await channel.ready()
      const heard = new Promise((resolve) => channel.onMessage(resolve))
      await fetch('${server.url}/api/messages', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"sender":"OrderChanged","body":{"id":42}}',
      })
      await heard
      await channel.close()`
    const { code, out, err } = await runModule(page, { before, after })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toBe('refresh 42\n')
  })

  it('posts from a terminal', () => {
    for (const line of commands('README.md', 'npx serverchannel')) {
      expect(runLine(line)).toMatchObject({ status: 0, err: '' })
    }
  })
})

describe('docs/authentication.md', () => {
  it('tells who a client is', async () => {
    const [block = ''] = blocks('docs/authentication.md', 'ts')
    const before = `
      import { createServerChannel } from 'serverchannel'
      const findSession = async (cookie) =>
        cookie === 'session=1' ? { userId: 'user-7', roles: ['sales'], endsAt: Date.now() + 60_000 } : null`
    const after = `
      const { url } = await channel.listen()
      const negotiate = async (headers) =>
        (await fetch(url + '/msg/negotiate?negotiateVersion=1', { method: 'POST', headers })).status
      console.log(await negotiate({ Cookie: 'session=1' }), await negotiate({}))
      await channel.close()`
    expect(await runModule(block, { before, after })).toEqual({ code: 0, out: '200 401\n', err: '' })
  })

  it('makes a token', () => {
    const [line = ''] = commands('docs/authentication.md', 'npx serverchannel token')
    const result = runLine(line, { SERVERCHANNEL_USER_TOKEN_SECRET: 'x'.repeat(32) })
    expect(result).toMatchObject({ status: 0, err: '' })
    expect(result.out.split('.')).toHaveLength(3)
  })
})

describe('docs/many-nodes.md', () => {
  it('makes one of several nodes', async () => {
    const [block = ''] = blocks('docs/many-nodes.md', 'ts')
    const before = "process.env.NODE_SECRET = 'x'.repeat(32)"
    const after = `
      const { url } = await channel.listen()
      const negotiated = await fetch(url + '/msg/negotiate?negotiateVersion=1', { method: 'POST' })
      console.log((await negotiated.json()).connectionToken.length > 22)
      await channel.close()`
    expect(await runModule(block, { before, after })).toEqual({ code: 0, out: 'true\n', err: '' })
  })
})

describe('docs/command-line.md', () => {
  const page = 'docs/command-line.md'

  it.each(commands(page, 'npx serverchannel post'))('%s', (line) => {
    expect(runLine(line)).toMatchObject({ status: 0 })
  })

  it.each(commands(page, 'npx serverchannel listen'))('%s', async (line) => {
    const args = line.split(/\s+/).slice(2)
    await using listener = new CliProcess(args, { SERVERCHANNEL_URL: server.url })
    await listener.note('open')
    expect(listener.err).toContain('open')
  })

  it.each(commands(page, 'npx serverchannel history'))('%s', (line) => {
    expect(runLine(line)).toMatchObject({ status: 0 })
  })

  it('serves with a settings file', async () => {
    const [yaml = ''] = blocks('docs/options.md', 'yaml')
    const file = join(mkdtempSync(join(tmpdir(), 'serverchannel-')), 'serverchannel.yaml')
    writeFileSync(file, yaml)
    const { process: served, url } = await serve(['--config', file])
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    await served[Symbol.asyncDispose]()
  })
})

describe('docs/stores.md', () => {
  it('keeps the log in a file', async () => {
    const [block = ''] = blocks('docs/stores.md', 'ts')
    const folder = mkdtempSync(join(tmpdir(), 'serverchannel-'))
    const after = `
      const { durability } = await channel.postMessageToAll('A')
      console.log(durability)
      await channel.close()`
    const { code, out, err } = await runModule(block.replace('./data/', `${folder}/data/`), { after })
    expect({ code, out, err }).toEqual({ code: 0, out: 'synced\n', err: '' })
    rmSync(folder, { recursive: true })
  })
})

const ORDERS = "CREATE TABLE orders (id integer PRIMARY KEY, state text); INSERT INTO orders VALUES (42, 'new')"
const DOCUMENTED_DATABASE = 'postgres://app@127.0.0.1:5432/shop'

describePostgres('with PostgreSQL', ['fsync = off'], (postgres) => {
  let database = ''
  beforeAll(async () => {
    database = await postgres().createDatabase()
    await postgres().query(ORDERS, database)
  })

  it.each(commands('docs/transactions.md', 'npx serverchannel outbox'))('%s', (line) => {
    expect(runLine(line.replace(DOCUMENTED_DATABASE, database))).toMatchObject({ status: 0, err: '' })
  })

  it.each(blocks('docs/transactions.md', 'sql').map((block, index) => [index + 1, block] as const))(
    'SQL block %i of docs/transactions.md runs',
    async (_index, block) => {
      await postgres().query(block, database)
    },
  )

  it('posts in a transaction from TypeScript', async () => {
    const [block = ''] = blocks('docs/transactions.md', 'ts')
    // With the page's trigger in place, the update posts as well.
    const after = `
      for (;;) {
        const { messages } = await channel.read({ sender: 'OrderChanged' })
        if (messages.length === 2) {
          console.log(messages.map(({ Body }) => JSON.stringify(Body)).join(' '))
          break
        }
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      await channel.close()
      await pool.end()`
    const own = await postgres().createDatabase()
    await postgres().query(ORDERS, own)
    expect(runLine(`npx serverchannel outbox install ${own}`)).toMatchObject({ status: 0 })
    for (const sql of blocks('docs/transactions.md', 'sql').filter((each) => each.includes('TRIGGER'))) {
      await postgres().query(sql, own)
    }
    const { code, out, err } = await runModule(block.replace(DOCUMENTED_DATABASE, own), { after })
    expect({ code, out, err }).toEqual({ code: 0, out: '{"id":42} {"id":42}\n', err: '' })
  })

  it.each([
    ['Drizzle', 1],
    ['Kysely', 2],
  ])('posts in a transaction of %s', async (_name, index) => {
    const block = blocks('docs/transactions.md', 'ts')[index] ?? ''
    const own = await postgres().createDatabase()
    await postgres().query(ORDERS, own)
    const before = `
      import { Pool } from 'pg'
      import { createServerChannel } from 'serverchannel'
      const pool = new Pool({ connectionString: '${own}' })
      const channel = await createServerChannel({ store: '${own}' })`
    const after = `
      while ((await channel.read()).messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
      const { messages } = await channel.read()
      const { rows } = await pool.query('SELECT state FROM orders')
      console.log(messages.map(({ Body }) => JSON.stringify(Body)).join(' '), rows[0].state)
      await channel.close()
      await pool.end()`
    expect(await runModule(block, { before, after })).toEqual({ code: 0, out: '{"id":42} paid\n', err: '' })
  })

  it('keeps the log in PostgreSQL', async () => {
    const [, block = ''] = blocks('docs/stores.md', 'ts')
    const after = `
      const { durability } = await channel.postMessageToAll('A')
      console.log(durability)
      await channel.close()`
    const own = await postgres().createDatabase()
    const { code, out, err } = await runModule(block.replace(DOCUMENTED_DATABASE, own), { after })
    expect({ code, out, err }).toEqual({ code: 0, out: 'logged\n', err: '' })
  })
})

describe('docs/http-api.md', () => {
  it.skipIf(!hasCurl)('posts with curl', () => {
    const [line = ''] = commands('docs/http-api.md', 'curl')
    const { status, out } = runLine(line)
    expect(status).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ durability: 'memory', connections: 0 })
  })
})
