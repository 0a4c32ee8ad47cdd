import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { serve } from '../support/cli-process.ts'
import { type OutboxSession, take } from '../support/outbox-contract.ts'
import { SqliteOutboxScene } from '../support/sqlite-outbox.ts'

let scene: SqliteOutboxScene
let address: string
let file: string
beforeEach(async () => {
  scene = new SqliteOutboxScene('WAL')
  address = await scene.createDatabase()
  file = address.slice('sqlite:'.length)
  return () => scene.close()
})

async function connect(): Promise<OutboxSession> {
  const session = await scene.connect(address)
  onTestFinished(() => session.close())
  return session
}

async function open(): Promise<ServerChannel> {
  const channel = await createServerChannel({ development: true, store: 'memory:', outbox: address })
  onTestFinished(() => channel.close())
  return channel
}

it('lets a program end that closes its channel, or that has nothing more to do', () => {
  const program = join(dirname(file), 'program.mjs')
  const entry = import.meta.resolve('serverchannel')
  for (const end of ['await channel.close()', '']) {
    writeFileSync(
      program,
      `import { createServerChannel } from '${entry}'
       const channel = await createServerChannel({ development: true, store: 'memory:', outbox: '${address}' })
       ${end}
       console.log('ends')`,
    )
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 15_000 })
    expect({ end, status, stdout, stderr }).toEqual({ end, status: 0, stdout: 'ends\n', stderr: '' })
  }
})

it('ends without a word when its server is gone just as it has something to say', async () => {
  const session = await connect()
  const reader = fork(fileURLToPath(new URL('../../packages/server/bin/outbox-reader.js', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  if (!reader.stderr) throw new Error('It has no standard error.')
  const said = text(reader.stderr)
  onTestFinished(() => void reader.kill('SIGKILL'))
  reader.send({ request: { type: 'open', file, holder: 'test' } })
  await once(reader, 'message')
  const exit = once(reader, 'exit')
  // When it goes on its next look is due before it hears of the end.
  reader.kill('SIGSTOP')
  await session.run(scene.post('A', '1'))
  reader.disconnect()
  await new Promise((resolve) => setTimeout(resolve, 1100))
  reader.kill('SIGCONT')
  expect(await exit).toEqual([0, null])
  expect(await said).toBe('')
})

it('goes on with a backup that takes the place of the file', async () => {
  const channel = await open()
  const session = await connect()
  await session.run(scene.post('A', '1'))
  await take(channel, 1)
  await session.run('PRAGMA wal_checkpoint(TRUNCATE)')
  const copy = `${file}.backup`
  copyFileSync(file, copy)
  renameSync(copy, file)
  for (const end of ['-wal', '-shm']) rmSync(`${file}${end}`, { force: true })
  await (await connect()).run(scene.post('A', '2'))
  expect((await take(channel, 2)).at(-1)?.Body).toBe(2)
})

it('waits for a transaction that takes long', async () => {
  const channel = await open()
  const [session, long] = [await connect(), await connect()]
  await session.run(scene.post('A', '1'))
  await long.run('BEGIN IMMEDIATE')
  // The reader asks meanwhile, and is told that the file is busy.
  await new Promise((resolve) => setTimeout(resolve, 700))
  await long.run(scene.post('A', '2'))
  await long.run('COMMIT')
  expect((await take(channel, 2)).map(({ Body }) => Body)).toEqual([1, 2])
})

it('takes for a command with --outbox what another language posts', async ({ skip }) => {
  if (spawnSync('python3', ['-c', 'import sqlite3']).status !== 0) return skip('python3 is not installed')
  const { process: server, url } = await serve(['--outbox', address])
  onTestFinished(() => server[Symbol.asyncDispose]())
  const program = `import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=5) as database:
    database.execute("INSERT INTO serverchannel_outbox (sender, body) VALUES (?, ?)", ("Python", '{"id":42}'))`
  const { status, stderr } = spawnSync('python3', ['-c', program, file], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  await expect
    .poll(async () => ((await (await fetch(`${url}/api/messages`)).json()) as { messages: unknown[] }).messages, {
      timeout: 10_000,
    })
    .toMatchObject([{ Header: { Sender: 'Python' }, Body: { id: 42 } }])
})
