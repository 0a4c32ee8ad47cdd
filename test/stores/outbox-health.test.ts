import { createServerChannel } from 'serverchannel'
import { expect, it, onTestFinished } from 'vitest'
import { describePostgres } from '../support/postgres-scene.ts'
import { receive } from '../support/receiver.ts'

const WAIT_MS_MAX = 15_000

interface Health {
  readonly status: number
  readonly ready: boolean
  readonly trouble?: string
  readonly degraded?: { readonly outbox?: string }
}

async function askHealth(url: string): Promise<Health> {
  const response = await fetch(`${url}/readyz`)
  return { status: response.status, ...((await response.json()) as Omit<Health, 'status'>) }
}

/** Asks until the answer is such a one, and gives it. */
async function untilHealth(url: string, isSuch: (health: Health) => boolean): Promise<Health> {
  const end = performance.now() + WAIT_MS_MAX
  for (;;) {
    const health = await askHealth(url)
    if (isSuch(health)) return health
    if (performance.now() > end) throw new Error(`It is still ${JSON.stringify(health)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function open(options: object): Promise<string> {
  const channel = await createServerChannel({ development: true, ...options })
  onTestFinished(() => channel.close())
  const { url } = await channel.listen()
  return url
}

describePostgres('what /readyz says of PostgreSQL', [], (postgres) => {
  it('where the outbox is away: ready, and degraded with the reason, until it is back', {
    timeout: 60_000,
  }, async () => {
    const database = await postgres().createDatabase()
    const channel = await createServerChannel({ development: true, store: 'memory:', outbox: database })
    onTestFinished(() => channel.close())
    const { url } = await channel.listen()
    const receiver = await receive(`${url}/msg`)
    onTestFinished(() => receiver.close())
    expect(await askHealth(url)).toEqual({ status: 200, ready: true, durability: 'memory' })
    await postgres().kill()
    const away = await untilHealth(url, ({ degraded }) => degraded !== undefined)
    expect(away).toMatchObject({ status: 200, ready: true })
    expect(away.trouble).toBeUndefined()
    expect(away.degraded?.outbox).toMatch(/^The outbox in PostgreSQL can't be reached: ./)
    // What it says is true: clients are served, and posts are taken.
    const other = await receive(`${url}/msg`)
    onTestFinished(() => other.close())
    await channel.postMessageToAll('Meanwhile')
    for (const each of [receiver, other]) expect((await each.take(1))[0]?.Header.Sender).toBe('Meanwhile')
    await postgres().restart()
    expect(await untilHealth(url, ({ degraded }) => degraded === undefined)).toMatchObject({ status: 200, ready: true })
    await postgres().query("SELECT serverchannel.post_message_to_all('Again')", database)
    expect((await receiver.take(1))[0]?.Header.Sender).toBe('Again')
  })

  it('where the log is away: not ready, with the reason, until it is back', { timeout: 60_000 }, async () => {
    const url = await open({ store: await postgres().createDatabase() })
    expect(await askHealth(url)).toMatchObject({ status: 200, ready: true })
    await postgres().kill()
    const away = await untilHealth(url, ({ ready }) => !ready)
    expect(away.status).toBe(503)
    expect(away.trouble).toMatch(/PostgreSQL/)
    expect(away.degraded).toBeUndefined()
    await postgres().restart()
    expect(await untilHealth(url, ({ ready }) => ready)).toMatchObject({ status: 200 })
  })
})
