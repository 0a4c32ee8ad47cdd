import { expect } from 'vitest'
import { idOf, type Scenario, type StockScene } from './stock-scene.ts'

/** Three clients, the first and the second of the user ada, and their ids. */
async function openThree({ open }: StockScene, path?: string) {
  const at = path === undefined ? {} : { path }
  const [a, b, c] = await Promise.all([open({ ...at, token: 'ada' }), open({ ...at, token: 'ada' }), open(at)])
  return { a, b, c, ids: { a: await idOf(a), b: await idOf(b), c: await idOf(c) } }
}

/** Calls of the server to its clients, and what it asks of them. */
export const serverCallScenarios: readonly Scenario[] = [
  {
    name: 'is called with what the server has for it alone, or for all',
    async run({ open, protocol }) {
      const client = await open()
      expect(await client.invoke('InvokeWithString', 'to you')).toEqual({ value: null })
      expect(await client.invoke('SendCustomObject', { Name: 'n', Value: 42 })).toEqual({ value: null })
      expect(await client.invoke('Broadcast', [1, { a: null }])).toEqual({ value: null })
      expect(await client.calls('message', 2)).toEqual([['to you'], [[1, { a: null }]]])
      const object = protocol === 'json' ? { name: 'n', value: 42 } : { Name: 'n', Value: 42 }
      expect(await client.calls('CustomObject', 1)).toEqual([[object]])
    },
  },
  {
    name: 'gets what is for all, for some, for its user, for it, and nothing else',
    async run(scene) {
      const { a, b, c, ids } = await openThree(scene)
      const { clients } = scene.server.hub
      clients.all.send('message', 'all')
      clients.allExcept([ids.a]).send('message', 'all but a')
      clients.client(ids.a).send('message', 'a')
      clients.clients([ids.b, ids.c, 'nobody']).send('message', 'b and c')
      clients.user('ada').send('message', 'ada')
      clients.users(['ada', 'bob']).send('message', 'ada or bob')
      clients.client('nobody').send('message', 'nobody')
      clients.all.send('message', 'end')
      const texts = (calls: unknown[][]): unknown[] => calls.map(([text]) => text)
      expect(texts(await a.calls('message', 5))).toEqual(['all', 'a', 'ada', 'ada or bob', 'end'])
      expect(texts(await b.calls('message', 6))).toEqual(['all', 'all but a', 'b and c', 'ada', 'ada or bob', 'end'])
      expect(texts(await c.calls('message', 4))).toEqual(['all', 'all but a', 'b and c', 'end'])
    },
  },
  {
    name: 'calls the others, those of its group, itself',
    async run(scene) {
      const { a, b, c, ids } = await openThree(scene, '/tell')
      for (const client of [a, b]) expect(await client.invoke('Join', 'g')).toEqual({ value: null })
      await a.invoke('ToOthers', 'others')
      await a.invoke('ToOthersInGroup', 'g', 'others in g')
      await a.invoke('ToCaller', 'caller')
      scene.server.tell.clients.groupExcept('g', [ids.b]).send('Called', 'g but b')
      scene.server.tell.clients.all.send('Called', 'end')
      expect(await a.calls('Called', 3)).toEqual([['caller'], ['g but b'], ['end']])
      expect(await b.calls('Called', 3)).toEqual([['others'], ['others in g'], ['end']])
      expect(await c.calls('Called', 2)).toEqual([['others'], ['end']])
    },
  },
  {
    name: 'joins groups and leaves them; the server puts it into some, too',
    async run(scene) {
      const { a, b, c, ids } = await openThree(scene)
      const { hub } = scene.server
      for (const client of [a, b]) await client.invoke('JoinGroup', 'g')
      await c.invoke('SendGroup', 'g', 1)
      await b.invoke('LeaveGroup', 'g')
      await c.invoke('SendGroup', 'g', 2)
      void hub.groups.add(ids.c, 'h')
      hub.clients.groups(['g', 'h']).send('message', 3)
      void hub.groups.remove(ids.c, 'h')
      hub.clients.group('h').send('message', 'nobody')
      hub.clients.all.send('message', 'end')
      expect(await a.calls('message', 4)).toEqual([[1], [2], [3], ['end']])
      expect(await b.calls('message', 2)).toEqual([[1], ['end']])
      expect(await c.calls('message', 2)).toEqual([[3], ['end']])
    },
  },
  {
    name: 'gets very many calls in order, long ones among them',
    async run({ open, server }) {
      const client = await open()
      const values = Array.from({ length: 500 }, (_, n) => (n % 100 === 0 ? `${n} ${'x'.repeat(50_000)}` : n))
      for (const value of values) server.hub.clients.all.send('message', value)
      expect((await client.calls('message', values.length)).map(([value]) => value)).toEqual(values)
    },
  },
  {
    name: 'answers what the server asks',
    needs: 'client results',
    async run({ open, server }) {
      const client = await open()
      const asked = server.hub.clients.client(await idOf(client))
      await expect(asked.invoke('Result')).rejects.toThrow("Client didn't provide a result.")
      await client.answer([{ value: 10 }])
      expect(await asked.invoke('Result')).toBe(10)
      await client.answer([{ error: 'not now' }])
      await expect(asked.invoke('Result')).rejects.toMatchObject({ name: 'HubException', message: 'Error: not now' })
      await client.answer([{ value: 10 }, { value: 11 }])
      await expect(asked.invoke('Result')).rejects.toThrow('Client provided multiple results.')
    },
  },
  {
    name: 'is lost while the server awaits its answer',
    needs: 'client results',
    async run({ open, server }) {
      const client = await open()
      await client.answer(['never'])
      const answer = server.hub.clients.client(await idOf(client)).invoke('Result')
      const failure = answer.catch((error: unknown) => error)
      await client.stop()
      expect(await failure).toMatchObject({ code: 'not_found' })
    },
  },
  {
    name: 'is asked many things at once',
    needs: 'client results',
    async run({ open, server }) {
      const client = await open()
      await client.answer([{ value: 7 }])
      const asked = server.hub.clients.client(await idOf(client))
      const answers = await Promise.all(Array.from({ length: 20 }, () => asked.invoke('Result')))
      expect(answers).toEqual(Array.from({ length: 20 }, () => 7))
    },
  },
]
