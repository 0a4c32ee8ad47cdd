import { expect } from 'vitest'
import { until } from '../../packages/server/test/until.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { idOf, type Scenario } from './stock-scene.ts'

const GOING_DOWN = 'Server returned an error on close: server_shutdown: The server is going down; connect again.'

/** Up to version 5, clients that got the goodbye and the end of the stream in one piece make this of it, with .NET too. */
const STREAM_ENDED = 'Error occurred'

/** How connections end, and how they come back. */
export const endingScenarios: readonly Scenario[] = [
  {
    name: 'is aborted by the server, for good',
    async run({ open, server, transport }) {
      const client = await open({ reconnects: true })
      const { error } = (await client.invoke('Abort')) as { readonly error: string }
      if (transport === 'ServerSentEvents' && error === STREAM_ENDED) {
        expect(await client.ended()).toEqual({ error: STREAM_ENDED })
      } else {
        expect(error).toContain('underlying connection being closed')
        expect(await client.ended()).toEqual({ value: undefined })
      }
      await until(() => server.hub.connectionCount === 0, 'the server knows')
    },
  },
  {
    name: 'is told that the server goes down',
    async run({ open, openServer }) {
      const server = await openServer()
      const client = await open({ port: server.port })
      await server.close()
      expect(await client.ended()).toEqual({ error: GOING_DOWN })
    },
  },
  {
    name: 'comes back by itself after the server went down and came up again',
    async run({ open, openServer }) {
      const server = await openServer()
      const client = await open({ port: server.port, reconnects: true })
      await client.invoke('JoinGroup', 'g')
      const id = await idOf(client)
      await server.close()
      const { hub } = await openServer(server.port)
      expect(await client.reconnected()).toBe(await idOf(client))
      expect(await idOf(client)).not.toBe(id)
      expect(await client.invoke('Echo', 'again')).toEqual({ value: 'again' })
      hub.clients.group('g').send('message', 'a group of before')
      hub.clients.all.send('message', 'all')
      expect(await client.calls('message', 1)).toEqual([['all']])
    },
  },
  {
    name: 'comes back by itself after the network failed',
    async run({ open, server, onFinished }) {
      const proxy = new CuttingProxy(server.port)
      const port = await proxy.listen()
      onFinished(() => proxy.close())
      const client = await open({ port, reconnects: true })
      const id = await idOf(client)
      // A browser asks again by itself what it asked over a connection that it had used before, unless that fails, too.
      proxy.refuse(true)
      proxy.cut()
      await until(() => proxy.refusals > 0, 'it tries to come back')
      proxy.refuse(false)
      expect(await client.reconnected()).toBe(await idOf(client))
      expect(await idOf(client)).not.toBe(id)
      expect(await client.invoke('Echo', 'again')).toEqual({ value: 'again' })
    },
  },
  {
    name: 'goes on where it was after the network failed, where that was asked for: the same id, groups, and every call once',
    needs: 'stateful reconnect',
    only: 'WebSockets',
    async run({ open, server, onFinished }) {
      const proxy = new CuttingProxy(server.port)
      const port = await proxy.listen()
      onFinished(() => proxy.close())
      const client = await open({ port, stateful: true })
      const id = await idOf(client)
      await client.invoke('JoinGroup', 'g')
      for (let round = 0; round < 5; round++) {
        server.hub.clients.group('g').send('message', 3 * round)
        // In the middle of what is on its way to either end.
        const answer = client.invoke('Echo', `round ${round}`)
        proxy.cut()
        server.hub.clients.client(id).send('message', 3 * round + 1)
        expect(await answer).toEqual({ value: `round ${round}` })
        server.hub.clients.all.send('message', 3 * round + 2)
      }
      const numbers = Array.from({ length: 15 }, (_, n) => [n])
      expect(await client.calls('message', 15)).toEqual(numbers)
      expect(await idOf(client)).toBe(id)
      expect(server.hub.connectionCount).toBe(1)
    },
  },
  {
    name: 'negotiates at another place when it is told to, with the token that it is given',
    async run({ open, server }) {
      const client = await open({ path: '/elsewhere' })
      expect(await client.invoke('Secret')).toEqual({ value: 'secret' })
      server.hub.clients.user('redirected').send('message', 'to the user of that token')
      expect(await client.calls('message', 1)).toEqual([['to the user of that token']])
    },
  },
]
