import { duplexPair } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../src/channel/store.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { SharedLog } from '../src/stores/shared-log.ts'
import { systemClock } from '../src/system-clock.ts'
import { Link } from '../src/workers/link.ts'
import { RelayStore } from '../src/workers/relay-store.ts'
import { StoreHost } from '../src/workers/store-host.ts'
import type { StoreNotice, StoreRequest } from '../src/workers/store-messages.ts'
import { range } from './channel-scene.ts'
import { append, describeStore, draft, Follower, UNBOUNDED } from './store-contract.ts'
import { describeSharedStore } from './store-contract-shared.ts'
import { until } from './until.ts'

let epochs = 0

/** A store whose log is at the other end of a pipe. */
function createRelay(log: SharedLog, onLost = (): void => {}): RelayStore {
  const [near, far] = duplexPair()
  const host: StoreHost = new StoreHost({
    log,
    clock: systemClock,
    onLost,
    link: new Link<StoreNotice, StoreRequest>(far, {
      onMessage: (request) => host.onMessage(request),
      onDrain: () => host.onDrain(),
      onClose: () => void host.close(),
    }),
  })
  const store: RelayStore = new RelayStore(
    new Link<StoreRequest, StoreNotice>(near, {
      onMessage: (notice) => store.onMessage(notice),
      onClose: () => store.lost(),
    }),
  )
  return store
}

describeStore('view of a shared log', (bounds) =>
  new SharedLog(new MemoryStore({ ...bounds, epoch: `epoch-${++epochs}` })).view(),
)

describeStore('relay store', (bounds) => {
  const log = new SharedLog(new MemoryStore({ ...bounds, epoch: `epoch-${++epochs}` }))
  return createRelay(log)
})

/** A log that stays, whoever closes it: its own view is never closed. */
async function openLog(bounds: typeof UNBOUNDED): Promise<SharedLog> {
  const log = new SharedLog(new MemoryStore({ ...bounds, epoch: `epoch-${++epochs}` }))
  await log.view().open(new Follower())
  return log
}

describeSharedStore('views of a shared log', async (bounds) => {
  const log = await openLog(bounds)
  return () => log.view()
})

describeSharedStore('relay stores', async (bounds) => {
  const log = await openLog(bounds)
  return () => createRelay(log)
})

describe('a process that takes nothing', () => {
  /** A pipe whose far end can be held, so that what is sent to it waits. */
  async function openHeld(countMax: number) {
    const log = await openLog({ ...UNBOUNDED, historyCountMax: countMax })
    const sent: StoreNotice[] = []
    const link = { bufferedBytes: 0, send: (notice: StoreNotice) => void sent.push(notice) }
    let isLost = false
    const host = new StoreHost({
      log,
      clock: systemClock,
      link,
      onLost: () => {
        isLost = true
      },
    })
    onTestFinished(() => host.close())
    host.onMessage({ kind: 'open' })
    await until(() => sent.length === 1, 'the log is open')
    const writer: Store = log.view()
    await writer.open(new Follower())
    const offsets = (): number[] =>
      sent.flatMap((notice) => (notice.kind === 'entries' ? notice.texts.map((_, index) => notice.first + index) : []))
    return { host, writer, link, sent, offsets, isLost: () => isLost }
  }

  it('is sent nothing more, and the rest from the store when it takes again', async () => {
    const { host, writer, link, offsets, isLost } = await openHeld(10_000)
    await append(writer, [draft('1')])
    link.bufferedBytes = 8_388_608
    await until(() => offsets().length === 1, 'the first is sent')
    for (const number of range(2, 3000)) await append(writer, [draft(String(number))])
    expect(offsets().length).toBeLessThan(3)
    link.bufferedBytes = 0
    host.onDrain()
    await until(() => offsets().length === 3000, 'all is sent')
    expect(offsets()).toEqual(range(1, 3000))
    await append(writer, [draft('"live"')])
    await until(() => offsets().length === 3001, 'what comes then is sent')
    expect(isLost()).toBe(false)
  })

  it('is given up where the log has lost what it has not got', async () => {
    const { host, writer, link, offsets, isLost } = await openHeld(10)
    await append(writer, [draft('1')])
    link.bufferedBytes = 8_388_608
    await until(() => offsets().length === 1, 'the first is sent')
    await append(
      writer,
      range(2, 50).map((number) => draft(String(number))),
    )
    link.bufferedBytes = 0
    host.onDrain()
    await until(isLost, 'it is given up')
  })

  it('lets appends fail in a way that can be tried again, and learns where the log is gone', async () => {
    const log = await openLog(UNBOUNDED)
    const store = createRelay(log)
    await store.open(new Follower())
    const waiting = store.append([draft('1')])
    store.lost()
    await expect(waiting).rejects.toMatchObject({ code: 'store_failed', retry: true })
    expect(store.trouble).toMatch(/gone/)
  })
})
