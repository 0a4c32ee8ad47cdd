import { setImmediate as nextTurn } from 'node:timers/promises'
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ServerChannelOptions } from '../src/options.ts'
import { range } from './channel-scene.ts'
import { openClient, type ServedChannel, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

const USERS: ServerChannelOptions = {
  authenticate: (request) => {
    const query = new URLSearchParams(request.url?.split('?')[1] ?? '')
    const user = query.get('user')
    return user === 'nobody' ? null : user ? { user, groups: [`of-${user}`] } : {}
  },
}

function serve(options: ServerChannelOptions = {}): Promise<ServedChannel> {
  return serveChannel({ workers: 2, ...USERS, ...options })
}

/** All connections have said that their handshake is done: then they are counted by what is posted. */
async function counted({ channel }: ServedChannel, count: number): Promise<void> {
  await until(() => channel.connectionCount >= count, 'the connections are there')
  for (let seen = -1; seen !== count; ) {
    seen = (await channel.postMessageToAll('Count')).connections
    await nextTurn()
  }
}

describe('a server with workers', { timeout: 60_000 }, () => {
  it('serves its WebSockets in them: all get every message, once and in order', async () => {
    const served = await serve()
    expect(served.channel.workerPids).toHaveLength(2)
    const clients = await Promise.all(range(1, 10).map(() => openClient(served.port)))
    await counted(served, 10)
    for (const number of range(1, 200)) void served.channel.postMessageToAll('Number', number)
    await until(() => clients.every((client) => client.bodies().includes(200)), 'all have the last')
    for (const client of clients) {
      expect(client.bodies().filter((body) => body !== null)).toEqual(range(1, 200))
    }
  })

  it('counts their connections, by user and group too, and says so in receipts', async () => {
    const served = await serve()
    const { channel, port } = served
    const clients = await Promise.all(['a', 'a', 'b'].map((user) => openClient(port, `/msg?user=${user}`)))
    await counted(served, 3)
    expect(channel.connectionCount).toBe(3)
    expect((await channel.postMessage('a', 'Hi', 'a')).connections).toBe(2)
    expect((await channel.post({ to: { groups: 'of-b' }, sender: 'Hi', body: 'b' })).connections).toBe(1)
    await until(() => clients.every((client) => client.bodies().some((body) => body !== null)), 'all have theirs')
    const [first, second, third] = clients.map((client) => client.bodies().filter((body) => body !== null))
    expect([first, second, third]).toEqual([['a'], ['a'], ['b']])
    clients[0]?.socket.close()
    await until(() => channel.connectionCount === 2, 'the one that left is not counted')
  })

  it('puts their connections into groups, and takes them out', async () => {
    const served = await serve({ clientMessagePolicy: () => undefined })
    const { channel, port } = served
    const ids: string[] = []
    channel.onClientMessage((_, { connectionId }) => void ids.push(connectionId), { senders: 'Hello' })
    const { socket, bodies } = await openClient(port)
    const call = { type: 1, target: 'SendMessage', arguments: [{ Header: { Sender: 'Hello' }, Body: 1 }] }
    socket.send(`${JSON.stringify(call)}\x1e`)
    await until(() => ids.length === 1, 'the message has come')
    const [id = ''] = ids
    expect(await channel.addToGroup(id, 'g')).toBe(true)
    await channel.post({ to: { groups: 'g' }, sender: 'Hi', body: 'in' })
    await until(() => bodies().includes('in'), 'the first has come')
    expect(await channel.removeFromGroup(id, 'g')).toBe(true)
    await channel.post({ to: { groups: 'g' }, sender: 'Hi', body: 'out' })
    await channel.postMessageToAll('Hi', 'all')
    await until(() => bodies().includes('all'), 'the last has come')
    expect(bodies()).toEqual(['in', 'all'])
  })

  it('tell a client whose its position is, and tell one that is hidden only the newest of each key', async () => {
    const served = await serve()
    const { channel, port } = served
    const { socket, bodies, records } = await openClient(port, '/msg?user=a&position=&owner=')
    await counted(served, 1)
    expect(records.some((record) => record.includes('"ChannelOwner"'))).toBe(true)
    const call = { type: 1, invocationId: '1', target: 'TellEvery', arguments: [600_000] }
    socket.send(`${JSON.stringify(call)}\x1e`)
    await until(() => records.some((record) => record.includes('"type":3')), 'the call is answered')
    const save = (body: number): unknown => channel.post({ to: 'all', sender: 'Saved', key: 'order:42', body })
    await save(1)
    await until(() => bodies().includes(1), 'the first has come')
    for (const body of range(2, 20)) await save(body)
    socket.send(`${JSON.stringify({ ...call, invocationId: '2', arguments: [0] })}\x1e`)
    await until(() => bodies().includes(20), 'what was held back has come')
    expect(bodies().filter((body) => body !== null)).toEqual([1, 20])
  })

  it('refuses whom authentication refuses, and holds the bounds over all of them', async () => {
    const { port, channel } = await serve({ connectionsPerUserMax: 1 })
    await expect(openClient(port, '/msg?user=nobody')).rejects.toThrow('401')
    await openClient(port, '/msg?user=a')
    await expect(openClient(port, '/msg?user=a')).rejects.toThrow('503')
    expect(channel.connectionCount).toBe(1)
  })

  it('serves stock clients, with negotiation, calls, and all other transports', async () => {
    const { hubUrl, channel } = await serve({ clientMessagePolicy: ({ user }) => (user ? { users: user } : undefined) })
    for (const transport of [1, 2, 4]) {
      const connection = new HubConnectionBuilder()
        .withUrl(`${hubUrl}?user=u${transport}`, { transport })
        .configureLogging(LogLevel.None)
        .build()
      onTestFinished(() => connection.stop())
      const got: unknown[] = []
      connection.on('ServerMessage', (message: { Body: unknown }) => got.push(message.Body))
      await connection.start()
      expect(await connection.invoke('Ping')).toBe('Pong!')
      await connection.invoke('Echo', { Id: '1', Header: { Sender: 'S' }, Body: 'echo' })
      await connection.invoke('SendMessage', { Id: '2', Header: { Sender: 'S' }, Body: 'own' })
      await expect(connection.invoke('SendMessage', { Header: {} })).rejects.toThrow('sender_invalid')
      await expect(connection.invoke('Nothing')).rejects.toThrow('Method does not exist')
      await until(() => got.length === 2, 'both have come')
      expect(got).toEqual(['echo', 'own'])
    }
    expect(channel.connectionCount).toBe(3)
  })

  it('gives who comes back what it missed, whichever has it now', async () => {
    const served = await serve({ tailCountMax: 5 })
    const { channel, port } = served
    const before = channel.position
    for (const number of range(1, 50)) await channel.postMessageToAll('Number', number)
    const clients = await Promise.all(range(1, 4).map(() => openClient(port, `/msg?position=${before}`)))
    for (const { bodies, records } of clients) {
      await until(() => bodies().length === 50, 'all of it has come')
      expect(bodies()).toEqual(range(1, 50))
      await until(() => records.some((record) => record.includes('"recovered":true')), 'it is told that it has all')
    }
  })

  it('closes all of them when it closes, and ends the workers', async () => {
    const { channel, port } = await serve()
    const clients = await Promise.all(range(1, 6).map(() => openClient(port)))
    const pids = channel.workerPids
    await channel.close()
    expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual(range(1, 6).map(() => 1000))
    for (const { records } of clients) expect(records.at(-1)).toContain('server_shutdown')
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })

  it('ends connections whose identity ends, and takes newer ones', async () => {
    const { port } = await serve({ authenticate: () => ({ expiresAt: Date.now() + 300 }) })
    const { closed, records } = await openClient(port)
    await closed
    expect(records.at(-1)).toContain('authentication_expired')
  })
})

describe('a worker that dies', { timeout: 60_000 }, () => {
  it('is started again, and its clients are counted out and let in again', async () => {
    const log: string[] = []
    const { channel, port } = await serve({
      logger: pino({ level: 'error', base: null }, { write: (line) => void log.push(line) }),
    })
    const clients = await Promise.all(range(1, 4).map(() => openClient(port)))
    const [pid = 0] = channel.workerPids
    process.kill(pid, 'SIGKILL')
    await until(() => channel.connectionCount === 2, 'its connections are counted out')
    const codes = await Promise.race(clients.map(({ closed }) => closed))
    expect(codes).toBe(1006)
    await until(
      () => channel.workerPids.length === 2 && !channel.workerPids.includes(pid),
      'there are two again',
      10_000,
    )
    expect(log.join('')).toContain('A worker is gone')
    const position = channel.position
    const again = await openClient(port, `/msg?position=${position}`)
    await channel.postMessageToAll('Hi', 1)
    await until(() => again.bodies().length === 1, 'who comes back is served')
  })
})
