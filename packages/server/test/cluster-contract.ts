import { describe, expect, it } from 'vitest'
import type { Store } from '../src/channel/store.ts'
import type { Authenticate, ServerChannelOptions } from '../src/options.ts'
import { range } from './channel-scene.ts'
import { openClient, type ServedChannel, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

export const byQuery: Authenticate = (request) => {
  const user = new URLSearchParams(request.url?.split('?')[1] ?? '').get('user')
  return user ? { user } : {}
}

/** Opens a log that is new, and gives what each of its nodes opens as its store. */
export type OpenLog = () => Promise<() => Store | string>

export async function openNodes(
  openLog: OpenLog,
  count: number,
  options: ServerChannelOptions = {},
): Promise<readonly ServedChannel[]> {
  const view = await openLog()
  const nodes: ServedChannel[] = []
  for (const _ of range(1, count)) nodes.push(await serveChannel({ authenticate: byQuery, ...options, store: view() }))
  await until(() => nodes.every(({ channel }) => channel.nodeCount === count), 'all nodes know all others')
  return nodes
}

/** The id by which the server knows the client. */
async function idOf({ channel }: ServedChannel, user: string): Promise<string> {
  await until(() => channel.connectionsOf(user).length > 0, 'the user is here')
  return channel.connectionsOf(user)[0] ?? ''
}

/** What nodes on one log do together, whatever keeps it. */
export function describeCluster(name: string, openLog: OpenLog): void {
  describe(`nodes on one log (${name})`, () => {
    it('bring each message to the clients of all', async () => {
      const nodes = await openNodes(openLog, 3)
      const clients = await Promise.all(nodes.map(({ port }) => openClient(port)))
      await Promise.all(nodes.map(({ channel }, node) => channel.postMessageToAll('Hi', node)))
      for (const client of clients) {
        await until(() => client.bodies().length === 3, 'all have come')
        expect(new Set(client.bodies())).toEqual(new Set([0, 1, 2]))
        // One order for all.
        expect(client.bodies()).toEqual(clients[0]?.bodies())
      }
    })

    it('let a client come back to another one, and give it what it missed', async () => {
      const [a, b] = (await openNodes(openLog, 2)) as [ServedChannel, ServedChannel]
      const { position } = await a.channel.postMessageToAll('Hi', 1)
      for (const number of range(2, 5)) await a.channel.postMessageToAll('Hi', number)
      const client = await openClient(b.port, `/msg?position=${position}`)
      await until(() => client.records.some((record) => record.includes('"recovered":true')), 'it has all')
      expect(client.bodies()).toEqual([2, 3, 4, 5])
    })

    it.each([0, 1])('put connections into groups, whichever has them (workers: %i)', async (workers) => {
      const [a, b] = (await openNodes(openLog, 2, { workers })) as [ServedChannel, ServedChannel]
      const client = await openClient(b.port, '/msg?user=u')
      const id = await idOf(a, 'u')
      expect(await a.channel.addToGroup(id, 'g')).toBe(true)
      expect(await a.channel.addToGroup('nobody', 'g')).toBe(false)
      await a.channel.post({ to: { groups: 'g' }, sender: 'Hi', body: 'in' })
      await until(() => client.bodies().length === 1, 'it has come')
      expect(await a.channel.removeFromGroup(id, 'g')).toBe(true)
      await a.channel.post({ to: { groups: 'g' }, sender: 'Hi', body: 'out' })
      expect(await a.channel.addUserToGroup('u', 'h')).toBe(1)
      await b.channel.post({ to: { groups: 'h' }, sender: 'Hi', body: 'user' })
      await until(() => client.bodies().length === 2, 'that of the other group has come')
      expect(client.bodies()).toEqual(['in', 'user'])
      expect(await a.channel.removeUserFromGroup('u', 'h')).toBe(1)
    })

    it('end connections of others within two seconds, and keep a user out for as long as is said', async () => {
      const nodes = await openNodes(openLog, 3)
      const [a, b, c] = nodes as [ServedChannel, ServedChannel, ServedChannel]
      const [first, second, other] = await Promise.all([
        openClient(b.port, '/msg?user=u'),
        openClient(c.port, '/msg?user=u'),
        openClient(c.port, '/msg?user=v'),
      ])
      const startedAt = performance.now()
      expect(await a.channel.disconnectUser('u', { reason: 'Signed out', blockMs: 60_000 })).toBe(2)
      await Promise.all([first.closed, second.closed])
      expect(performance.now() - startedAt).toBeLessThan(2000)
      expect(first.records.at(-1)).toBe('{"type":7,"error":"disconnected: Signed out","allowReconnect":false}')
      for (const { port } of nodes) await expect(openClient(port, '/msg?user=u')).rejects.toThrow('403')
      await a.channel.allowUser('u')
      await openClient(b.port, '/msg?user=u')
      expect(await a.channel.disconnect(await idOf(a, 'v'))).toBe(true)
      await other.closed
      expect(await a.channel.disconnect('nobody')).toBe(false)
      await expect(Promise.resolve().then(() => a.channel.disconnectUser('u', { blockMs: -1 }))).rejects.toThrow(
        'blockMs',
      )
    })

    it('know who is connected to which, and notice who is not any more', async () => {
      const [a, b] = (await openNodes(openLog, 2)) as [ServedChannel, ServedChannel]
      const hostile = '__proto__'
      const clients = await Promise.all([
        openClient(a.port, '/msg?user=u'),
        openClient(b.port, '/msg?user=u'),
        openClient(b.port, `/msg?user=${hostile}`),
        openClient(b.port),
      ])
      for (const { channel } of [a, b]) {
        await until(() => channel.presence().size === 2 && channel.connectionsOf('u').length === 2, 'all is told')
        expect(new Map(channel.presence())).toEqual(
          new Map([
            ['u', 2],
            [hostile, 1],
          ]),
        )
        expect(channel.isOnline(hostile)).toBe(true)
        expect(channel.isOnline('nobody')).toBe(false)
      }
      clients[2]?.socket.close()
      await until(() => !a.channel.isOnline(hostile), 'it is told that the client left')
      await b.channel.close()
      await until(() => a.channel.connectionsOf('u').length === 1, 'the clients of a node that left are gone')
      expect(a.channel.nodeCount).toBe(1)
    })

    it('tell a node that comes later who is connected, and who must stay away', async () => {
      const view = await openLog()
      const a = await serveChannel({ authenticate: byQuery, store: view() })
      await Promise.all(range(1, 150).map((number) => openClient(a.port, `/msg?user=user-${number}`)))
      await a.channel.disconnectUser('bad', { blockMs: 60_000 })
      const b = await serveChannel({ authenticate: byQuery, store: view() })
      await until(() => b.channel.presence().size === 150, 'it knows all')
      await expect(openClient(b.port, '/msg?user=bad')).rejects.toThrow('403')
    })
  })
}
