import { describe, expect, it } from 'vitest'
import { ChannelError } from '../src/channel/channel-error.ts'
import { defineHub, type HubOptions } from '../src/hub/hub-definition.ts'
import { HubException } from '../src/hub/hub-exception.ts'
import { openRuntime, settle } from './hub-runtime-scene.ts'

interface Life {
  server: { Who(): unknown; Leave(): void; Wait(): void; Remember(thing: string): unknown }
  client: { Welcome(): void; Name(): string }
}

type Options = Omit<HubOptions<Life>, 'methods'>

function openLife(options: Options = {}) {
  const signals: AbortSignal[] = []
  const hub = defineHub<Life>({
    methods: {
      Who: ({ connectionId, user, request, protocol, identity }) => [
        connectionId,
        user,
        request.url,
        protocol,
        identity,
      ],
      Leave: ({ abort }) => abort(),
      Wait: ({ signal }) => {
        signals.push(signal)
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
      },
      Remember: ({ items }, thing) => {
        items.set(thing, items.size)
        return [...items]
      },
    },
    ...options,
  })
  return { ...openRuntime(hub), signals }
}

const CLOSED = 'Connection closed with an error.'
const close = (error: string) => JSON.stringify({ type: 7, error })

describe('a connection', () => {
  it('tells its methods who calls', async () => {
    const { connect } = openLife()
    const client = connect('a', { user: 'ada' }, { url: '/msg?x=1' })
    expect(await client.call('Who')).toEqual([
      '{"type":3,"invocationId":"call-1","result":["a","ada","/msg?x=1","json",{"user":"ada"}]}',
    ])
  })

  it('keeps the items of the application', async () => {
    const { connect } = openLife()
    const client = connect('a')
    await client.call('Remember', 'x')
    expect(await client.call('Remember', '__proto__')).toEqual([
      '{"type":3,"invocationId":"call-2","result":[["x",0],["__proto__",1]]}',
    ])
    expect(await connect('b').call('Remember', 'y')).toEqual(['{"type":3,"invocationId":"call-1","result":[["y",0]]}'])
  })

  it('is ended by `abort` without a word more (2.10 C2)', async () => {
    const { connect, runtime } = openLife()
    const client = connect('a')
    await client.say({ type: 1, invocationId: '1', target: 'Leave', arguments: [] })
    expect(client.records).toEqual(['{"type":7}'])
    expect([client.transport.closedWith, runtime.connectionCount]).toEqual([1000, 0])
    expect(await client.call('Who')).toEqual([])
  })

  it('aborts the signals of its calls when it is gone, and when they are cancelled', async () => {
    const { connect, signals, clock } = openLife()
    const client = connect('a')
    await client.say({ type: 1, invocationId: '1', target: 'Wait', arguments: [] })
    await client.say({ type: 5, invocationId: '1' })
    expect([signals[0]?.aborted, client.records]).toEqual([true, ['{"type":3,"invocationId":"1","result":null}']])
    await client.say({ type: 1, invocationId: '2', target: 'Wait', arguments: [] })
    client.transport.hangUp()
    await settle(clock)
    expect(signals[1]?.aborted).toBe(true)
  })
})

describe('onConnected', () => {
  it('may speak to the client and put it into groups, before any call runs', async () => {
    const log: string[] = []
    let proceed: (() => void) | undefined
    const { connect, runtime, clock } = openLife({
      async onConnected({ caller, groups, connectionId }) {
        await groups.add(connectionId, 'g')
        caller.send('Welcome')
        await new Promise<void>((resolve) => {
          proceed = resolve
        })
        log.push('connected')
      },
    })
    const client = connect('a')
    await client.say({ type: 1, invocationId: '1', target: 'Who', arguments: [] })
    expect([client.records.length, client.transport.isPaused]).toEqual([1, true])
    runtime.clients.group('g').send('Welcome')
    proceed?.()
    await settle(clock)
    expect(log).toEqual(['connected'])
    expect(client.records.map((record) => (JSON.parse(record) as { type: number }).type)).toEqual([1, 1, 3])
    expect(client.transport.isPaused).toBe(false)
  })

  it.each([
    ['an error', new Error('secret'), close(CLOSED)],
    ['a HubException', new HubException('full'), close(`${CLOSED} HubException: full`)],
  ])('that throws %s ends the connection for good (2.9)', async (_, thrown, said) => {
    const left: unknown[] = []
    const { connect, clock, runtime, errors } = openLife({
      onConnected: () => Promise.reject(thrown),
      onDisconnected: () => left.push('left'),
    })
    const client = connect('a')
    await settle(clock)
    expect(client.records).toEqual([said])
    expect([client.transport.closedWith, runtime.connectionCount, left]).toEqual([1000, 0, []])
    expect(errors).toMatchObject([{ where: 'onConnected' }])
  })

  it('can not ask the client for a result (T2)', async () => {
    const failures: unknown[] = []
    const { connect, clock } = openLife({
      onConnected: ({ caller }) => caller.invoke('Name').catch((error: Error) => failures.push(error.message)),
    })
    const client = connect('a')
    await settle(clock)
    expect(failures).toEqual(['Client results inside OnConnectedAsync Hub methods are not allowed.'])
    expect(client.records).toEqual([])
  })

  it('is asked whether the client may connect', async () => {
    const log: string[] = []
    const { connect, clock } = openLife({
      authorize: ({ user }) => user === 'ada',
      onConnected: ({ user }) => log.push(user ?? 'nobody'),
    })
    const [ada, eve] = [connect('a', { user: 'ada' }), connect('e', { user: 'eve' })]
    await settle(clock)
    expect(log).toEqual(['ada'])
    expect([ada.records, eve.records]).toEqual([[], [close('The connection was refused because user is unauthorized')]])
  })

  it('takes no endless number of messages meanwhile', async () => {
    const hub = defineHub<{ server: { Do(): void }; client: object }>({
      methods: { Do: () => {} },
      onConnected: () => new Promise(() => {}),
    })
    const { connect, runtime } = openRuntime(hub, { limits: { waitingInvocationsMax: 3 } })
    const client = connect('a')
    await client.say(...Array.from({ length: 10 }, () => ({ type: 1, target: 'Do', arguments: [] })))
    expect([client.ends, runtime.connectionCount]).toMatchObject([[{ code: 'protocol_broken' }], 0])
  })
})

describe('onDisconnected', () => {
  it('is told that the network broke, as opposed to a client that left', async () => {
    const told: unknown[] = []
    const { connect, clock } = openLife({ onDisconnected: (_, error) => told.push(error) })
    connect('a').transport.hangUp(true)
    connect('b').transport.hangUp(false)
    await settle(clock)
    expect(told).toMatchObject([{ code: 'connection_lost' }, undefined])
  })

  it('is told once, and why', async () => {
    const told: unknown[] = []
    const { connect, clock } = openLife({
      onDisconnected: ({ connectionId }, error) => told.push([connectionId, error]),
    })
    const [a, b] = [connect('a'), connect('b')]
    a.transport.hangUp()
    await b.say({ type: 1, invocationId: '1', target: 'Leave', arguments: [] })
    b.transport.hangUp()
    await settle(clock)
    expect(new Map(told as [string, unknown][])).toEqual(
      new Map([
        ['a', undefined],
        ['b', undefined],
      ]),
    )
    expect(told).toHaveLength(2)
  })

  it('is told the error of the server’s end', async () => {
    const told: (Error | undefined)[] = []
    const hub = defineHub<Life>({
      methods: { Who: () => 1, Leave: () => {}, Wait: () => {}, Remember: () => 1 },
      onDisconnected: (_, error) => told.push(error),
    })
    const { connect, runtime, clock } = openRuntime(hub, { limits: { heldBytesMax: 4096 } })
    const client = connect('a')
    client.transport.isTaking = false
    for (let count = 0; count < 300; count++) runtime.clients.all.send('Welcome')
    await settle(clock)
    expect(told).toMatchObject([{ code: 'reader_stalled' }])
    expect(told[0]).toBeInstanceOf(ChannelError)
  })

  it('comes after `onConnected`, also where the client is gone before that is over', async () => {
    const log: string[] = []
    let proceed: (() => void) | undefined
    const { connect, clock } = openLife({
      async onConnected() {
        await new Promise<void>((resolve) => {
          proceed = resolve
        })
        log.push('connected')
      },
      onDisconnected: () => log.push('disconnected'),
    })
    const client = connect('a')
    await settle(clock)
    client.transport.hangUp()
    await settle(clock)
    expect(log).toEqual([])
    proceed?.()
    await settle(clock)
    expect(log).toEqual(['connected', 'disconnected'])
  })

  it('may fail, which is reported', async () => {
    const { connect, clock, errors } = openLife({ onDisconnected: () => Promise.reject(new Error('x')) })
    connect('a').transport.hangUp()
    await settle(clock)
    expect(errors).toMatchObject([{ where: 'onDisconnected', error: { message: 'x' } }])
  })
})

describe('filters around connecting and disconnecting', () => {
  it('are nested in their order', async () => {
    const log: unknown[] = []
    const layer = (name: string) => ({
      connect: async (_: unknown, next: () => Promise<void>) => {
        log.push(`${name} in`)
        await next()
        log.push(`${name} on`)
      },
      disconnect: async (_: unknown, error: Error | undefined, next: () => Promise<void>) => {
        log.push([`${name} out`, error])
        await next()
      },
    })
    const { connect, clock } = openLife({
      filters: [layer('outer'), layer('inner')],
      onConnected: () => log.push('connected'),
      onDisconnected: () => log.push('disconnected'),
    })
    const client = connect('a')
    await settle(clock)
    client.transport.hangUp()
    await settle(clock)
    expect(log).toEqual([
      'outer in',
      'inner in',
      'connected',
      'inner on',
      'outer on',
      ['outer out', undefined],
      ['inner out', undefined],
      'disconnected',
    ])
  })
})

it('survives a report of errors that fails itself', async () => {
  const hub = defineHub<Life>({
    methods: { Who: () => Promise.reject(new Error('x')), Leave: () => {}, Wait: () => {}, Remember: () => 1 },
  })
  const { connect, errors } = openRuntime(hub)
  Object.freeze(errors)
  expect(await connect('a').call('Who')).toHaveLength(1)
})
