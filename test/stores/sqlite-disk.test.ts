import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { KillableServer, type PlainOptions } from '../support/kill-server.ts'
import { callsOf, orderOf } from '../support/sqlite-calls.ts'
import { Strace, whyNoStrace } from '../support/strace.ts'

const mayBeSkipped = process.env['REQUIRE_ENGINES'] !== '1'
const LONG = { timeout: 90_000 }

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-disk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function start(folder: string, options: Partial<PlainOptions> = {}): Promise<KillableServer> {
  const server = await KillableServer.start({
    store: `sqlite:${folder}/messages.db`,
    historyCountMax: 1_000_000,
    ...options,
  })
  onTestFinished(() => server.close())
  return server
}

interface Answered {
  readonly status: number
  readonly body: { readonly code?: string; readonly durability?: string; readonly position?: string }
}

async function post(url: string, id: string, body: unknown = id): Promise<Answered> {
  const response = await fetch(`${url}/api/messages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ sender: 'Disk', id, body }),
  })
  return { status: response.status, body: (await response.json()) as Answered['body'] }
}

async function ready(url: string): Promise<{ readonly status: number; readonly trouble?: string }> {
  const response = await fetch(`${url}/readyz`)
  return { status: response.status, ...((await response.json()) as { trouble?: string }) }
}

async function allIds(url: string): Promise<string[]> {
  const ids: string[] = []
  for (let after = '', hasMore = true; hasMore; ) {
    const response = await fetch(`${url}/api/messages?limit=1000&after=${encodeURIComponent(after)}`)
    const part = (await response.json()) as { messages: { Id: string }[]; position: string; hasMore: boolean }
    ids.push(...part.messages.map(({ Id }) => Id))
    ;({ position: after, hasMore } = part)
  }
  return ids
}

if (whyNoStrace !== undefined) console.warn(`Not run: ${whyNoStrace}`)

describe.skipIf(whyNoStrace !== undefined && mayBeSkipped)('an SQLite log, traced', LONG, () => {
  async function trace(durability: 'logged' | 'synced'): Promise<{ text: string; ids: readonly string[] }> {
    const folder = temporaryFolder()
    const { url, pid } = await start(folder, { durability })
    const file = join(folder, 'trace')
    const calls = 'trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg'
    const strace = await Strace.attach(pid, ['-y', '-s', '16384', '-e', calls, '-o', file])
    onTestFinished(() => strace.detach())
    const ids: string[] = []
    // One at a time, then many at once.
    for (const [round, count] of [1, 1, 1, 30, 30].entries()) {
      const posted = Array.from({ length: count }, (_, number) => `mark-${round}-${number}-`)
      ids.push(...posted)
      for (const { status, body } of await Promise.all(posted.map((id) => post(url, id)))) {
        expect([status, body.durability]).toEqual([201, durability])
      }
    }
    await strace.detach()
    return { text: readFileSync(file, 'latin1'), ids }
  }

  it('acknowledges nothing before the sync of it returned, at the level synced', async () => {
    const { text, ids } = await trace('synced')
    for (const id of ids) expect([id, orderOf(text, id)]).toEqual([id, 'written, synced, acknowledged'])
    const syncs = callsOf(text).filter(({ name, text: call }) => /^f(data)?sync$/.test(name) && call.includes('-wal>'))
    // Those that came together share one.
    expect(syncs.length).toBeLessThan(ids.length / 2)
  })

  it('syncs nothing for a post at the level logged, so that the judgement can fail', async () => {
    const { text, ids } = await trace('logged')
    expect(new Set(ids.map((id) => orderOf(text, id)))).toEqual(new Set(['written, acknowledged, never synced']))
  })

  it.each([
    ['synced', 'fsync,fdatasync'],
    ['logged', 'pwrite64'],
  ] as const)(
    'fails posts and says so while the disk fails (%s, %s), and recovers by itself',
    async (durability, calls) => {
      const { url, pid } = await start(temporaryFolder(), { durability })
      expect((await post(url, 'before')).status).toBe(201)
      const strace = await Strace.attach(pid, [
        '-o',
        '/dev/null',
        '-e',
        `trace=${calls}`,
        '-e',
        `inject=${calls}:error=EIO`,
      ])
      onTestFinished(() => strace.detach())
      expect(await post(url, 'during')).toMatchObject({ status: 503, body: { code: 'store_failed' } })
      expect(await ready(url)).toMatchObject({ status: 503, trouble: expect.stringContaining('messages.db') })
      expect((await post(url, 'during too')).status).toBe(503)
      // What was there before can be read all the while.
      expect(await allIds(url)).toEqual(['before'])
      await strace.detach()
      await expect.poll(() => ready(url), { timeout: 10_000 }).toMatchObject({ status: 200 })
      expect((await post(url, 'during')).status).toBe(201)
      expect((await post(url, 'during')).status).toBe(201)
      expect((await post(url, 'after')).status).toBe(201)
      expect(await allIds(url)).toEqual(['before', 'during', 'after'])
    },
  )
})

describe('an SQLite log on a disk that is full', LONG, () => {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-full-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder])
  const isMounted = mounted.status === 0
  if (!isMounted) console.warn(`Not run: no small file system can be mounted here: ${String(mounted.stderr).trim()}`)

  it.skipIf(!isMounted && mayBeSkipped)(
    'fails posts, loses none that it acknowledged, and recovers by itself',
    async () => {
      onTestFinished(() => {
        spawnSync('umount', ['-l', folder])
        rmSync(folder, { recursive: true, force: true })
      })
      expect(isMounted).toBe(true)
      mkdirSync(join(folder, 'log'))
      writeFileSync(join(folder, 'ballast'), Buffer.alloc(1_000_000))
      const server = await start(join(folder, 'log'))
      const { url } = server
      const acknowledged: string[] = []
      const large = 'x'.repeat(20_000)
      let refused: Answered | undefined
      for (let number = 0; number < 500 && !refused; number++) {
        const answer = await post(url, `full-${number}`, large)
        if (answer.status === 201) acknowledged.push(`full-${number}`)
        else refused = answer
      }
      expect(refused).toMatchObject({ status: 503, body: { code: 'store_failed' } })
      expect(acknowledged.length).toBeGreaterThan(5)
      expect(await allIds(url)).toEqual(acknowledged)
      // It may find some room by itself, and fills that too.
      const next = async (): Promise<unknown> => {
        const id = `full-${acknowledged.length}-again`
        if ((await post(url, id, large)).status === 201) acknowledged.push(id)
        return (await ready(url)).status
      }
      await expect.poll(next, { timeout: 20_000 }).toBe(503)
      expect((await ready(url)).trouble).toContain('messages.db')
      rmSync(join(folder, 'ballast'))
      await expect.poll(() => ready(url), { timeout: 10_000 }).toMatchObject({ status: 200 })
      expect((await post(url, 'after', large)).status).toBe(201)
      await server.kill()
      await server.start()
      expect(await allIds(url)).toEqual([...acknowledged, 'after'])
    },
  )
})
