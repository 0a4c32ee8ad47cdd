import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { processFile } from '../src/static-files.ts'
import { closeAll, openWindow, startTestCrm } from './crm-under-test.ts'

const folders: string[] = []

afterEach(async () => {
  await closeAll()
  vi.restoreAllMocks()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

/** A process file that is the example's own but for one change. */
async function changedProcess(from: string, to: string): Promise<string> {
  const source = await readFile(processFile, 'utf8')
  expect(source).toContain(from)
  const folder = await mkdtemp(join(tmpdir(), 'serverchannel-crm-'))
  folders.push(folder)
  const file = join(folder, 'changed.bpmn')
  await writeFile(
    file,
    source.replace(from, () => to),
  )
  return file
}

const post = (url: string): Promise<Response> => fetch(url, { method: 'POST' })

async function getOrder(url: string, id: number): Promise<Record<string, unknown>> {
  return (await (await fetch(`${url}/api/orders/${id}`)).json()) as Record<string, unknown>
}

test('a large order waits for somebody, then the script task changes it and tells every page', async () => {
  const crm = await startTestCrm()
  const window = await openWindow(crm, 'chen')
  const started = await post(`${crm.url}/orders/42/approval?user=anna`)
  expect(started.status).toBe(202)
  await vi.waitFor(async () => {
    expect(await getOrder(crm.url, 42)).toMatchObject({
      status: 'Draft',
      approval: { status: 'waiting', startedBy: 'anna' },
    })
  })
  expect((await post(`${crm.url}/orders/42/approval?user=boris`)).status).toBe(409)
  expect((await post(`${crm.url}/orders/42/approval/approve?user=boris`)).status).toBe(202)
  await window.message('ProcessEnded')
  expect(window.bodies('OrderApproved')).toEqual([{ id: 42, approvedBy: 'boris' }])
  expect(await getOrder(crm.url, 42)).toMatchObject({
    status: 'Approved',
    approvedBy: 'boris',
    approval: { status: 'ended' },
  })
})

test('a small order goes through by itself, and its steps come in their order', async () => {
  const crm = await startTestCrm()
  const window = await openWindow(crm, 'chen')
  await post(`${crm.url}/orders/41/approval?user=anna`)
  await window.message('ProcessEnded')
  const steps = window.bodies('ProcessStep') as { step: number; activity: string; state: string; via: string | null }[]
  expect(steps.map(({ step }) => step)).toEqual(steps.map((_, index) => index + 1))
  expect(steps.filter(({ state }) => state === 'active').map(({ activity, via }) => [activity, via])).toEqual([
    ['Start', null],
    ['CheckCredit', 'FromStart'],
    ['AmountGateway', 'FromCheckCredit'],
    ['ApproveOrder', 'Small'],
    ['TellOwner', 'FromApproveOrder'],
    ['End', 'FromTellOwner'],
  ])
  expect(steps.filter(({ state }) => state === 'done')).toHaveLength(6)
})

test('a message to the one who started it reaches all windows of that user and nobody else', async () => {
  const crm = await startTestCrm()
  const [first, second, other] = await Promise.all([
    openWindow(crm, 'anna'),
    openWindow(crm, 'anna'),
    openWindow(crm, 'boris'),
  ])
  await post(`${crm.url}/orders/41/approval?user=anna`)
  await Promise.all([first, second, other].map((window) => window.message('ProcessEnded')))
  expect(first.bodies('YourOrderApproved')).toEqual(['Order 41 is approved.'])
  expect(second.bodies('YourOrderApproved')).toEqual(['Order 41 is approved.'])
  expect(other.bodies('YourOrderApproved')).toEqual([])
})

test('"post user message" reaches everybody where the process file says SendForAll', async () => {
  const file = await changedProcess('terrasoft:sendForAll="false"', 'terrasoft:sendForAll="true"')
  const crm = await startTestCrm({ processFile: file })
  const windows = await Promise.all([openWindow(crm, 'anna'), openWindow(crm, 'boris')])
  await post(`${crm.url}/orders/41/approval?user=anna`)
  for (const window of windows) {
    await window.message('ProcessEnded')
    expect(window.bodies('YourOrderApproved')).toEqual(['Order 41 is approved.'])
  }
})

test('"post user message" reaches those of a list who are there, each once', async () => {
  const file = await changedProcess(
    'const { orderId, approvedBy } =',
    "environment.assignVariables({ ownerIds: ['anna', 'boris', 'anna', 'nobody'] }); const { orderId, approvedBy } =",
  )
  const crm = await startTestCrm({ processFile: file })
  const [anna, boris, chen] = await Promise.all(['anna', 'boris', 'chen'].map((user) => openWindow(crm, user)))
  await post(`${crm.url}/orders/41/approval?user=chen`)
  for (const window of [anna, boris, chen]) await window?.message('ProcessEnded')
  expect(anna?.bodies('YourOrderApproved')).toEqual(['Order 41 is approved.'])
  expect(boris?.bodies('YourOrderApproved')).toEqual(['Order 41 is approved.'])
  expect(chen?.bodies('YourOrderApproved')).toEqual([])
})

test('"post user message" without anybody to tell ends the process and says why', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const file = await changedProcess('targetUserIdsKey="ownerIds"', 'targetUserIdsKey="none"')
  const crm = await startTestCrm({ processFile: file })
  const window = await openWindow(crm, 'chen')
  await post(`${crm.url}/orders/41/approval?user=anna`)
  const { Body } = await window.message('ProcessEnded')
  expect(Body).toMatchObject({ status: 'failed', failure: expect.stringContaining("the variable 'none'") as string })
})

test('what the script task executes is the text in the process file', async () => {
  const file = await changedProcess(
    'PostMessageToAll("OrderApproved", { id: order.id, approvedBy: order.approvedBy });',
    'PostMessageToAll("SomeMessageId", "My message value");',
  )
  const crm = await startTestCrm({ processFile: file })
  const window = await openWindow(crm, 'chen')
  await post(`${crm.url}/orders/41/approval?user=anna`)
  await window.message('ProcessEnded')
  expect(window.bodies('SomeMessageId')).toEqual(['My message value'])
  expect(window.bodies('OrderApproved')).toEqual([])
})

test('a script that fails ends the process and says why, and the order may be tried again', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})
  const file = await changedProcess('const order =', 'throw new Error("The ledger is closed."); const order =')
  const crm = await startTestCrm({ processFile: file })
  const window = await openWindow(crm, 'chen')
  await post(`${crm.url}/orders/41/approval?user=anna`)
  const { Body } = await window.message('ProcessEnded')
  expect(Body).toMatchObject({ orderId: 41, status: 'failed', failure: 'The ledger is closed.' })
  expect(log).toHaveBeenCalledWith('The approval of order 41 failed: The ledger is closed.')
  expect(await getOrder(crm.url, 41)).toMatchObject({ status: 'Draft' })
  expect((await post(`${crm.url}/orders/41/approval?user=anna`)).status).toBe(202)
})

test('closing ends a process in the middle', async () => {
  const crm = await startTestCrm({ stepMs: 60_000 })
  await post(`${crm.url}/orders/41/approval?user=anna`)
  await post(`${crm.url}/orders/42/approval?user=anna`)
  await crm.close()
  await expect(fetch(crm.url)).rejects.toThrow('fetch failed')
})
