import {
  type HubConnection,
  HubConnectionBuilder,
  type IHubProtocol,
  JsonHubProtocol,
  LogLevel,
} from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { describe, expect, it, onTestFinished } from 'vitest'
import { defineHub, HubException, type MappedHub } from '../src/index.ts'
import type { ServerChannelOptions } from '../src/options.ts'
import { range } from './channel-scene.ts'
import { type OpenLog, openNodes } from './cluster-contract.ts'
import type { ServedChannel } from './served-channel.ts'
import { until } from './until.ts'

interface Contract {
  readonly server: { AskOther(id: string): unknown; Join(id: string, group: string): boolean }
  readonly client: { Said(text: unknown, more?: unknown): void; Answer(question?: unknown): unknown }
}

interface HubNode extends ServedChannel {
  readonly hub: MappedHub<Contract>
}

async function openHubs(
  openLog: OpenLog,
  count: number,
  options: ServerChannelOptions = {},
): Promise<readonly HubNode[]> {
  const nodes = await openNodes(openLog, count, options)
  return nodes.map((node) => ({
    ...node,
    hub: node.channel.mapHub(
      '/Chat',
      defineHub<Contract>({
        methods: {
          AskOther: ({ clients }, id) => clients.client(id).invoke('Answer', 'from a method'),
          Join: ({ groups }, id, group) => groups.add(id, group),
        },
      }),
    ),
  }))
}

interface HubClient {
  readonly connection: HubConnection
  readonly id: string
  /** Arguments of `Said`. */
  readonly said: unknown[][]
}

async function openClient(
  { url, hub }: HubNode,
  user = 'u',
  answer?: (question: unknown) => unknown,
  protocol: IHubProtocol = new JsonHubProtocol(),
): Promise<HubClient> {
  const connection = new HubConnectionBuilder()
    .withUrl(`${url}/chat?user=${user}`)
    .withHubProtocol(protocol)
    .configureLogging(LogLevel.None)
    .build()
  onTestFinished(() => connection.stop())
  const said: unknown[][] = []
  connection.on('Said', (...args: unknown[]) => void said.push(args))
  if (answer) connection.on('Answer', answer)
  const before = hub.connectionCount
  await connection.start()
  await until(() => hub.connectionCount > before, 'it is there')
  return { connection, id: connection.connectionId ?? '', said }
}

/** Taken at once, so that no rejection is without anybody who awaits it. */
function reasonOf(result: Promise<unknown>): Promise<unknown> {
  return result.then(
    (value) => new Error(`It is ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
}

type Three = [HubNode, HubNode, HubNode]
type Two = [HubNode, HubNode]

/** What hubs of one's own do over nodes on one log, whatever keeps it. */
export function describeClusterHubs(name: string, openLog: OpenLog): void {
  describe(`hubs on nodes with one log (${name})`, () => {
    it('call clients by all, user, group and connection, with what each encoding can say', async () => {
      const [a, b] = (await openHubs(openLog, 2)) as Two
      const { id, said } = await openClient(b, 'u', undefined, new MessagePackHubProtocol())
      const { clients } = a.hub
      await b.hub.groups.add(id, 'g')
      clients.all.send('Said', 'all', { deep: [1, null, 'é'] })
      clients.user('u').send('Said', 'user', new Uint8Array([1, 2]))
      clients.group('g').send('Said', 'group', 1)
      clients.client(id).send('Said', 'client', 1)
      clients.allExcept([id]).send('Said', 'nobody', 1)
      clients.groupExcept('g', [id]).send('Said', 'nobody', 1)
      clients.user('other').send('Said', 'nobody', 1)
      clients.users(['x', 'u']).send('Said', 'users', 1)
      clients.groups(['x', 'g']).send('Said', 'groups', 1)
      clients.clients([id]).send('Said', 'last', 'x'.repeat(20_000))
      await until(() => said.length === 7, 'all have come')
      expect(said).toEqual([
        ['all', { deep: [1, null, 'é'] }],
        ['user', new Uint8Array([1, 2])],
        ['group', 1],
        ['client', 1],
        ['users', 1],
        ['groups', 1],
        ['last', 'x'.repeat(20_000)],
      ])
      expect(() => clients.all.send('Said', 'x'.repeat(1_100_000), 1)).toThrow(RangeError)
    })

    it('put connections of other nodes into groups, for what is sent by any node then', async () => {
      const [a, b, c] = (await openHubs(openLog, 3)) as Three
      const { id, said } = await openClient(b)
      // Nobody awaits it: what this node sends after it comes after it.
      void a.hub.groups.add(id, 'g')
      a.hub.clients.group('g').send('Said', 1)
      expect(await a.hub.groups.add(id, 'h')).toBe(true)
      c.hub.clients.group('h').send('Said', 2)
      await until(() => said.length === 2, 'both have come')
      expect(await c.hub.groups.remove(id, 'h')).toBe(true)
      a.hub.clients.group('h').send('Said', 'not in it')
      const other = await openClient(a)
      expect(await other.connection.invoke('Join', id, 'of a method')).toBe(true)
      b.hub.clients.group('of a method').send('Said', 3)
      a.hub.clients.client(id).send('Said', 4)
      await until(() => said.length >= 4, 'the last has come')
      expect(said).toHaveLength(4)
      expect(new Set(said.map(([text]) => text))).toEqual(new Set([1, 2, 3, 4]))
      expect(await a.hub.groups.add('nobody', 'g')).toBe(false)
      expect(await a.hub.groups.remove('nobody', 'g')).toBe(false)
    })

    it('bound the groups of connections of other nodes as of their own', async () => {
      const [a, b] = (await openHubs(openLog, 2, { connectionGroupsMax: 2 })) as Two
      const { id } = await openClient(b)
      expect(await a.hub.groups.add(id, '1')).toBe(true)
      expect(await a.hub.groups.add(id, '2')).toBe(true)
      await expect(a.hub.groups.add(id, '3')).rejects.toThrow(RangeError)
      expect(await a.hub.groups.add(id, '1')).toBe(true)
    })

    it.each(['json', 'messagepack'])('get results of clients of other nodes (%s)', async (encoding) => {
      const protocol = encoding === 'json' ? new JsonHubProtocol() : new MessagePackHubProtocol()
      const [a, b, c] = (await openHubs(openLog, 3)) as Three
      const answers = new Map<unknown, unknown>([
        ['text', 'é😀'],
        ['object', { deep: [1, null, { x: 'y' }], number: 1.5 }],
        ['null', null],
        ['large', 'x'.repeat(30_000)],
        ['from a method', 'Ada'],
      ])
      const { id, said } = await openClient(b, 'u', (question) => answers.get(question), protocol)
      for (const question of ['text', 'object', 'null', 'large']) {
        expect(await a.hub.clients.client(id).invoke('Answer', question)).toEqual(answers.get(question))
      }
      const asker = await openClient(c)
      expect(await asker.connection.invoke('AskOther', id)).toBe('Ada')
      // What was sent before comes before.
      for (const number of range(1, 20)) a.hub.clients.client(id).send('Said', number)
      answers.set('how many', said)
      const seen = (await a.hub.clients.client(id).invoke('Answer', 'how many')) as unknown[][]
      expect(seen.map(([number]) => number)).toEqual(range(1, 20))
    })

    it('get what each of many results is to whoever asked for it', async () => {
      const [a, b] = (await openHubs(openLog, 2)) as Two
      const one = await openClient(b, 'u', (question) => ['one', question])
      const other = await openClient(b, 'u', (question) => ['other', question])
      const asked = range(1, 50).flatMap((number) => [
        a.hub.clients.client(one.id).invoke('Answer', number),
        a.hub.clients.client(other.id).invoke('Answer', number),
      ])
      expect(await Promise.all(asked)).toEqual(
        range(1, 50).flatMap((number) => [
          ['one', number],
          ['other', number],
        ]),
      )
    })

    it('get the errors of clients of other nodes', async () => {
      const [a, b] = (await openHubs(openLog, 2)) as Two
      const failing = await openClient(b, 'u', () => {
        throw new Error('no idea')
      })
      const mute = await openClient(b)
      await expect(a.hub.clients.client(failing.id).invoke('Answer')).rejects.toThrow(
        new HubException('Error: no idea'),
      )
      await expect(a.hub.clients.client(mute.id).invoke('Answer')).rejects.toMatchObject({
        name: 'HubException',
        message: "Client didn't provide a result.",
      })
      await expect(a.hub.clients.client('nobody').invoke('Answer')).rejects.toMatchObject({
        code: 'not_found',
        message: "There is no connection 'nobody'.",
      })
      await expect(a.hub.clients.client(mute.id).invoke('Answer', 1n)).rejects.toThrow()
      await expect(a.hub.clients.client(mute.id).invoke('Answer', 'x'.repeat(1_100_000))).rejects.toThrow(RangeError)
    })

    it('await no more results of a client than it may be asked for, nor for longer than is said', async () => {
      const [a, b] = (await openHubs(openLog, 2, { clientResultsMax: 1 })) as Two
      const { id } = await openClient(b, 'u', () => new Promise(() => {}))
      const controller = new AbortController()
      const one = a.hub.clients.client(id).with({ signal: controller.signal })
      const first = one.invoke('Answer')
      await expect(a.hub.clients.client(id).invoke('Answer')).rejects.toThrow(RangeError)
      controller.abort(new Error('enough'))
      await expect(first).rejects.toThrow('enough')
      await expect(one.invoke('Answer')).rejects.toThrow('enough')
      // The place that it had is free again.
      await expect(a.hub.clients.client(id).with({ timeoutMs: 50 }).invoke('Answer')).rejects.toMatchObject({
        code: 'client_timeout',
        message: 'The client gave no result within 50 ms.',
      })
    })

    it('learn that a client of another node, or that node, is gone', async () => {
      const [a, b, c] = (await openHubs(openLog, 3)) as Three
      const asked: unknown[] = []
      const silent = (question: unknown) => {
        asked.push(question)
        return new Promise(() => {})
      }
      const leaving = await openClient(b, 'u', silent)
      const staying = await openClient(c, 'u', silent)
      const first = a.hub.clients.client(leaving.id).invoke('Answer', 1)
      const second = a.hub.clients.client(staying.id).invoke('Answer', 2)
      await until(() => asked.length === 2, 'both were asked')
      const reasons = [reasonOf(first), reasonOf(second)]
      await leaving.connection.stop()
      expect(await reasons[0]).toMatchObject({ code: 'not_found', message: `Connection '${leaving.id}' was lost.` })
      await c.channel.close()
      expect(await reasons[1]).toMatchObject({ code: 'not_found' })
      await expect(a.hub.clients.client(staying.id).invoke('Answer')).rejects.toMatchObject({ code: 'not_found' })
    })
  })
}
