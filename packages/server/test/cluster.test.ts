import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createServerChannel, defineHub } from '../src/index.ts'
import type { Authenticate, ServerChannelOptions } from '../src/options.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { SharedLog } from '../src/stores/shared-log.ts'
import { range } from './channel-scene.ts'
import { openClient, type ServedChannel, serveChannel } from './served-channel.ts'
import { UNBOUNDED } from './store-contract.ts'
import { until } from './until.ts'

const byQuery: Authenticate = (request) => {
  const user = new URLSearchParams(request.url?.split('?')[1] ?? '').get('user')
  return user ? { user } : {}
}

/** Nodes with one log in this process. */
async function openNodes(count: number, options: ServerChannelOptions = {}): Promise<readonly ServedChannel[]> {
  const log = new SharedLog(new MemoryStore({ ...UNBOUNDED, epoch: 'shared' }))
  const nodes: ServedChannel[] = []
  for (const _ of range(1, count)) {
    nodes.push(await serveChannel({ authenticate: byQuery, ...options, store: log.view() }))
  }
  await until(() => nodes.every(({ channel }) => channel.nodeCount === count), 'all nodes know all others')
  return nodes
}

/** The id by which the server knows the client. */
async function idOf({ channel }: ServedChannel, user: string): Promise<string> {
  await until(() => channel.connectionsOf(user).length > 0, 'the user is here')
  return channel.connectionsOf(user)[0] ?? ''
}

describe('nodes on one log', () => {
  it('bring each message to the clients of all', async () => {
    const nodes = await openNodes(3)
    const clients = await Promise.all(nodes.map(({ port }) => openClient(port)))
    await Promise.all(nodes.map(({ channel }, node) => channel.postMessageToAll('Hi', node)))
    for (const client of clients) {
      await until(() => client.bodies().length === 3, 'all have come')
      expect(client.bodies()).toEqual([0, 1, 2])
    }
  })

  it('let a client come back to another one, and give it what it missed', async () => {
    const [a, b] = (await openNodes(2)) as [ServedChannel, ServedChannel]
    await a.channel.postMessageToAll('Hi', 1)
    const { position } = a.channel
    for (const number of range(2, 5)) await a.channel.postMessageToAll('Hi', number)
    const client = await openClient(b.port, `/msg?position=${position}`)
    await until(() => client.records.some((record) => record.includes('"recovered":true')), 'it has all')
    expect(client.bodies()).toEqual([2, 3, 4, 5])
  })

  it.each([0, 1])('put connections into groups, whichever has them (workers: %i)', async (workers) => {
    const [a, b] = (await openNodes(2, { workers })) as [ServedChannel, ServedChannel]
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
    const nodes = await openNodes(3)
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
    const [a, b] = (await openNodes(2)) as [ServedChannel, ServedChannel]
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
    const log = new SharedLog(new MemoryStore({ ...UNBOUNDED, epoch: 'shared' }))
    const a = await serveChannel({ authenticate: byQuery, store: log.view() })
    await Promise.all(range(1, 150).map((number) => openClient(a.port, `/msg?user=user-${number}`)))
    await a.channel.disconnectUser('bad', { blockMs: 60_000 })
    const b = await serveChannel({ authenticate: byQuery, store: log.view() })
    await until(() => b.channel.presence().size === 150, 'it knows all')
    await expect(openClient(b.port, '/msg?user=bad')).rejects.toThrow('403')
  })

  it("call the clients of users' own hubs, by all, user, group and connection", async () => {
    const [a, b] = (await openNodes(2)) as [ServedChannel, ServedChannel]
    interface Contract {
      readonly server: { Nothing(): void }
      readonly client: { Said(text: string, more: unknown): void }
    }
    const [atA, atB] = [a, b].map(({ channel }) =>
      channel.mapHub('/chat', defineHub<Contract>({ methods: { Nothing() {} } })),
    )
    if (!atA || !atB) throw new Error('There are two')
    const connection = new HubConnectionBuilder()
      .withUrl(`${b.url}/chat?user=u`)
      .withHubProtocol(new MessagePackHubProtocol())
      .configureLogging(LogLevel.None)
      .build()
    onTestFinished(() => connection.stop())
    const said: unknown[] = []
    connection.on('Said', (...args: unknown[]) => said.push(args))
    await connection.start()
    const id = connection.connectionId ?? ''
    await until(() => atB.connectionCount === 1, 'it is there')
    atB.groups.add(id, 'g')
    atA.clients.all.send('Said', 'all', { deep: [1, null, 'é'] })
    atA.clients.user('u').send('Said', 'user', new Uint8Array([1, 2]))
    atA.clients.group('g').send('Said', 'group', 1)
    atA.clients.client(id).send('Said', 'client', 1)
    atA.clients.allExcept([id]).send('Said', 'nobody', 1)
    atA.clients.user('other').send('Said', 'nobody', 1)
    atA.clients.clients([id]).send('Said', 'last', 'x'.repeat(20_000))
    await until(() => said.length === 5, 'all have come')
    expect(said).toEqual([
      ['all', { deep: [1, null, 'é'] }],
      ['user', new Uint8Array([1, 2])],
      ['group', 1],
      ['client', 1],
      ['last', 'x'.repeat(20_000)],
    ])
    expect(() => atA.clients.all.send('Said', 'x'.repeat(1_100_000), 1)).toThrow(RangeError)
  })
})

it('does all of that alone as well', async () => {
  const channel = await createServerChannel({ authenticate: byQuery })
  onTestFinished(() => channel.close())
  expect(await channel.addToGroup('nobody', 'g')).toBe(false)
  expect(await channel.disconnectUser('nobody')).toBe(0)
  expect(channel.presence().size).toBe(0)
  expect(channel.nodeCount).toBe(1)
})
