import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { KillRig } from '../support/kill-rig.ts'

/** `KILLS=200 npx vitest run test/stores/sqlite-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 40)
const MS_PER_KILL_MAX = 10_000

describe.each(['logged', 'synced'] as const)('a server on SQLite, %s, that is killed -9', (durability) => {
  const count = Math.ceil(kills / 2)

  it(`${count} times loses, doubles and reorders nothing, and is back in the same epoch`, {
    timeout: 30_000 + count * MS_PER_KILL_MAX,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'serverchannel-kill-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const store = `sqlite:${join(folder, 'messages.db')}`
    const rig = await KillRig.start({ servers: [{ store, durability, historyCountMax: 1_000_000 }] })
    onTestFinished(() => rig.close())
    const [server] = rig.servers
    const started = performance.now()
    for (let kill = 0; kill < count; kill++) {
      await rig.whilePosting(async () => {
        await server?.kill()
        await server?.start()
      })
    }
    const ms = (performance.now() - started) / count
    const verdict = await rig.finish()
    console.log(`${durability}: ${ms.toFixed(0)} ms a kill, ${JSON.stringify(verdict)}`)
    expect(verdict.epochs).toBe(1)
    expect(verdict.gaps).toBe(0)
    expect(verdict.recoveries).toBeGreaterThan(count)
    expect(verdict.posts).toBeGreaterThan(10 * count)
  })
})
