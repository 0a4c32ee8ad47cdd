import { type AddressInfo, createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasNats, NatsProcess } from '../../../test/support/nats-process.ts'
import { hasRedis, RedisProcess } from '../../../test/support/redis-process.ts'
import { openStore } from '../src/stores/open-store.ts'
import { ENGINE_BOUNDS } from './engine-bounds.ts'
import { Follower, UNBOUNDED } from './store-contract.ts'

const PASSWORD = 'Geheim99'
const OPEN_MS_MAX = 30_000

/** All that opening the store says: the error with its causes and whatever hangs on them, and warnings. */
async function sayings(address: string): Promise<string> {
  const said: unknown[] = []
  try {
    const bounds = { ...UNBOUNDED, ...ENGINE_BOUNDS, onWarning: (reason: string) => void said.push(reason) }
    const store = await openStore(address, bounds)
    onTestFinished(() => store.close())
    await store.open(new Follower()).finally(() => said.push(store.trouble))
  } catch (error) {
    said.push(error)
  }
  return inspect(said, { depth: 20, showHidden: true })
}

/** A server that speaks no TLS, and keeps what it is told. */
async function listenInClear(
  hello: string,
  answer: string,
): Promise<{ port: number; connections: () => number; heard: () => string }> {
  let heard = ''
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    connections++
    socket.on('error', () => {})
    socket.write(hello)
    socket.on('data', (data) => {
      heard += data.toString('latin1')
      if (answer === '') socket.destroy()
      else socket.write(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections, heard: () => heard }
}

describe('a password in the address of an engine', () => {
  it.each([
    `redis://me:${PASSWORD}@a@b`,
    `redis://me:${PASSWORD}/x@b`,
    `redis://me:7/${PASSWORD}@b`,
    `redis://me:${PASSWORD}@b:x`,
    `redis://me:${PASSWORD}%@b`,
    `redis://me:${PASSWORD}@b/0/1`,
    `redis+sentinel://me:${PASSWORD}@b`,
    `nats://me:${PASSWORD}@a@b`,
    `nats://me:${PASSWORD}/x@b`,
    `nats://me:${PASSWORD}@b/x`,
    `nats://b?token=${PASSWORD}&storage=x`,
    `postgres://me:${PASSWORD}@b:x/db`,
    `postgres://me:${PASSWORD}@b/db?standbys=x`,
    `mysql://me:${PASSWORD}@b/db`,
  ])('is in no error where the address is wrong: %s', async (address) => {
    const said = await sayings(address)
    expect(said).toContain('TypeError')
    expect(said).not.toContain(PASSWORD)
  })

  it.skipIf(!hasRedis)('is in nothing that is said where Redis refuses it', { timeout: OPEN_MS_MAX }, async () => {
    const redis = await RedisProcess.start()
    onTestFinished(() => redis.close())
    redis.cli('CONFIG', 'SET', 'requirepass', 'another')
    const said = await sayings(`redis://:${PASSWORD}@127.0.0.1:${redis.port}`)
    expect(said).toMatch(/WRONGPASS|NOAUTH/)
    expect(said).not.toContain(PASSWORD)
  })

  it.skipIf(!hasNats)('is in nothing that is said where NATS refuses it', { timeout: OPEN_MS_MAX }, async () => {
    const nats = await NatsProcess.start('authorization { user: me, password: another }')
    onTestFinished(() => nats.close())
    const said = await sayings(`nats://me:${PASSWORD}@127.0.0.1:${nats.port}`)
    expect(said).toMatch(/authorization/i)
    expect(said).not.toContain(PASSWORD)
  })

  it('goes to no server that speaks no TLS, where TLS is asked for', { timeout: OPEN_MS_MAX }, async () => {
    const info = { server_id: 'x', version: '2.9.10', proto: 1, headers: true, jetstream: true, max_payload: 1_048_576 }
    const ways = [
      { scheme: 'rediss', rest: '', hello: '', answer: '' },
      { scheme: 'tls', rest: '', hello: `INFO ${JSON.stringify(info)}\r\n`, answer: '' },
      { scheme: 'postgres', rest: '/db?sslmode=require', hello: '', answer: 'N' },
    ]
    const outcomes = ways.map(async ({ scheme, rest, hello, answer }) => {
      const server = await listenInClear(hello, answer)
      const said = await sayings(`${scheme}://me:${PASSWORD}@127.0.0.1:${server.port}${rest}`)
      expect([scheme, said]).toEqual([scheme, expect.stringContaining('store_failed')])
      expect(said).not.toContain(PASSWORD)
      expect(server.connections()).toBeGreaterThan(0)
      expect(server.heard()).not.toContain(PASSWORD)
    })
    await Promise.all(outcomes)
  })
})
