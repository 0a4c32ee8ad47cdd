import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineHub } from '../src/hub/hub-definition.ts'
import { HubException } from '../src/hub/hub-exception.ts'
import { createConformanceHub } from './conformance-hub.ts'
import { openRuntime } from './hub-runtime-scene.ts'

const conformance = (detailedErrors = false) => openRuntime(createConformanceHub(detailedErrors))

describe('a call', () => {
  it.each([
    ['a value', 'Echo', ['hi'], '"result":"hi"'],
    ['nothing, as null (J1)', 'VoidMethod', [], '"result":null'],
    ['null (J1)', 'GetNull', [], '"result":null'],
    ['what its method computes', 'Add', [2, 3], '"result":5'],
    ['from a method under another name', 'renamed', [], '"result":"renamed"'],
    ['in any case of the name (J2)', 'ECHO', ['hi'], '"result":"hi"'],
  ])('is answered with %s', async (_, target, args, result) => {
    const { connect } = conformance()
    expect(await connect('a').call(target, ...args)).toEqual([`{"type":3,"invocationId":"call-1",${result}}`])
  })

  it.each([
    ['works', 'Echo', ['hi']],
    ['throws', 'ThrowHubException', ['x']],
    ['is none', 'NoSuchMethod', []],
    ['gets other arguments', 'Echo', []],
    ['may not be called', 'Secret', []],
    ['streams', 'Stream', []],
  ])('without an id, or with an empty one, gets no answer where its method %s (J1)', async (_, target, args) => {
    const { connect } = conformance()
    const client = connect('a')
    await client.say({ type: 1, target, arguments: args }, { type: 1, invocationId: '', target, arguments: args })
    await client.say({ type: 4, invocationId: '', target, arguments: args })
    expect(client.records).toEqual([])
    expect(client.connection.state).toBe('open')
  })

  it('may carry headers, which mean nothing (J1)', async () => {
    const { connect } = conformance()
    const client = connect('a')
    await client.say({ type: 1, invocationId: '1', target: 'Echo', arguments: ['hi'], headers: { traceparent: 'x' } })
    expect(client.records).toEqual(['{"type":3,"invocationId":"1","result":"hi"}'])
  })

  it.each([
    { type: 2, invocationId: '9', item: 1 },
    { type: 3, invocationId: '9', result: 1 },
    { type: 3, invocationId: 's1', error: 'x' },
    { type: 5, invocationId: '9' },
  ])('is none, and nothing is said to it, where it is %j of an unknown id (J4)', async (message) => {
    const { connect } = conformance()
    const client = connect('a')
    await client.say(message)
    expect(await client.call('Echo', 'still here')).toHaveLength(1)
    expect(client.records).toHaveLength(1)
  })
})

interface Things {
  server: { Run(): unknown; Given(a: string, b?: number): unknown; Later(name: string): string }
  client: object
}

describe('whatever a method throws or gives', () => {
  const refusesToBeSeen = new Proxy(
    {},
    {
      get() {
        throw new Error('no')
      },
      getPrototypeOf() {
        throw new Error('no')
      },
    },
  )
  const circle: { self?: unknown } = {}
  circle.self = circle

  it.each([
    ['throws undefined', () => Promise.reject(undefined as unknown as Error)],
    ['throws what refuses to be looked at', () => Promise.reject(refusesToBeSeen as Error)],
    ['gives what refuses to be looked at', () => refusesToBeSeen],
    ['gives a bigint', () => 1n],
    ['gives a circle', () => circle],
    ['gives a stream without saying so', () => (async function* stream() {})()],
  ])('the client gets the plain error and the connection lives where it %s', async (_, run) => {
    const hub = defineHub<Things>({
      methods: { Run: run, Given: (_context, a, b) => [a, b], Later: (_context, name) => name },
    })
    const { connect, errors } = openRuntime(hub)
    const client = connect('a')
    expect(await client.call('Run')).toEqual([
      `{"type":3,"invocationId":"call-1","error":"An unexpected error occurred invoking 'Run' on the server."}`,
    ])
    expect(errors).toMatchObject([{ where: 'Run' }])
    expect(await client.call('Later', 'x')).toHaveLength(1)
  })

  it('is reported, unless a HubException says it to the client', async () => {
    const { connect, errors } = conformance()
    const client = connect('a')
    await client.call('ThrowException', 'reported')
    await client.call('ThrowHubException', 'said')
    expect(errors).toMatchObject([{ where: 'ThrowException', error: { message: 'reported' } }])
  })

  it('is null where JSON has no word for it', async () => {
    const methods = {
      Run: () => () => {},
      Given: (_: unknown, a: string) => a,
      Later: (_: unknown, name: string) => name,
    }
    const { connect } = openRuntime(defineHub<Things>({ methods }))
    expect(await connect('a').call('Run')).toEqual(['{"type":3,"invocationId":"call-1","result":null}'])
  })
})

describe('arguments', () => {
  const hub = defineHub<Things>({
    methods: {
      Run: () => 'ran',
      Given: { parameters: [z.string().trim(), z.number().default(7)], run: (_, a, b) => [a, b] },
      Later: {
        parameters: [z.string().refine((name) => Promise.resolve(name !== 'taken'), { error: 'is taken' })],
        run: (_, name) => name,
      },
    },
    detailedErrors: true,
  })

  it('are what their validators make of them; those left out at the end too', async () => {
    const { connect } = openRuntime(hub)
    expect(await connect('a').call('Given', ' a ')).toEqual(['{"type":3,"invocationId":"call-1","result":["a",7]}'])
  })

  it('may be validated in their own time', async () => {
    const { connect } = openRuntime(hub)
    const client = connect('a')
    expect(await client.call('Later', 'free')).toEqual(['{"type":3,"invocationId":"call-1","result":"free"}'])
    expect(await client.call('Later', 'taken')).toEqual([
      `{"type":3,"invocationId":"call-2","error":"Failed to invoke 'Later' due to an error on the server. ArgumentsError: Argument 1: is taken"}`,
    ])
  })
})

describe('a hub of a class', () => {
  class Counter {
    readonly label = 'counter'
    #count = 0

    Run(): number {
      return ++this.#count
    }

    Given(_: unknown, a: string): string {
      return this.label + a
    }

    Later(_: unknown, name: string): string {
      return name
    }
  }

  it('has its state, and the methods of the class above it', async () => {
    class Named extends Counter {
      override Later(_: unknown, name: string): string {
        return `named ${name}`
      }
    }
    const { connect } = openRuntime(defineHub<Things>({ methods: new Named() }))
    const client = connect('a')
    await client.call('Run')
    await client.call('run')
    await client.call('Later', 'x')
    await client.call('constructor')
    await client.call('label')
    const unknown = (name: string, id: number) =>
      `{"type":3,"invocationId":"call-${id}","error":"Failed to invoke '${name}' due to an error on the server. HubException: Method does not exist."}`
    expect(client.records).toEqual([
      '{"type":3,"invocationId":"call-1","result":1}',
      '{"type":3,"invocationId":"call-2","result":2}',
      '{"type":3,"invocationId":"call-3","result":"named x"}',
      unknown('constructor', 4),
      unknown('label', 5),
    ])
  })
})

describe('the definition of a hub', () => {
  interface Any {
    server: { [name: string]: (...args: never[]) => unknown }
    client: object
  }

  it.each([
    ['two methods whose names differ in case only', { Echo: () => 1, echo: () => 2 }],
    ['what is no method', { Echo: 42 as never }],
  ])('does not take %s', (_, methods) => {
    expect(() => defineHub<Any>({ methods })).toThrow(TypeError)
  })

  it('takes what it is told to be a method, whatever its name', async () => {
    const methods = Object.fromEntries([
      ['__proto__', () => 'proto'],
      ['constructor', () => 'made'],
    ])
    const { connect } = openRuntime(defineHub<Any>({ methods }))
    const client = connect('a')
    await client.call('__proto__')
    await client.call('constructor')
    expect(client.records).toEqual([
      '{"type":3,"invocationId":"call-1","result":"proto"}',
      '{"type":3,"invocationId":"call-2","result":"made"}',
    ])
  })

  it('refuses bounds out of their range', () => {
    expect(() => openRuntime(createConformanceHub(), { limits: { streamsMax: 0 } })).toThrow(RangeError)
  })
})

describe('authorization', () => {
  it('lets those call who may', async () => {
    const { connect } = conformance()
    expect(await connect('a', { user: 'ada' }).call('Secret')).toEqual([
      '{"type":3,"invocationId":"call-1","result":"secret"}',
    ])
  })

  it('that fails is a no, and comes before the arguments are looked at', async () => {
    interface Locked {
      server: { Open(key: string): string }
      client: object
    }
    const hub = defineHub<Locked>({
      methods: { Open: { authorize: () => Promise.reject(new Error('no database')), run: () => 'open' } },
    })
    const { connect, errors } = openRuntime(hub)
    expect(await connect('a').call('Open')).toEqual([
      `{"type":3,"invocationId":"call-1","error":"Failed to invoke 'Open' because user is unauthorized"}`,
    ])
    expect(errors).toMatchObject([{ where: 'Open', error: { message: 'no database' } }])
  })
})

describe('filters', () => {
  it('see the call, are nested in their order, and may change its outcome', async () => {
    const seen: string[] = []
    const hub = defineHub<Things>({
      methods: { Run: () => seen.push('run'), Given: (_, a) => a, Later: (_, name) => name },
      filters: [
        {
          async invoke({ method, arguments: args }, next) {
            seen.push(`outer ${method} ${JSON.stringify(args)}`)
            return [await next()]
          },
        },
        { connect: () => {} },
        {
          invoke(_, next) {
            seen.push('inner')
            return next()
          },
        },
      ],
    })
    const { connect } = openRuntime(hub)
    const client = connect('a')
    await client.call('Run')
    expect(await client.call('later', 'x')).toEqual(['{"type":3,"invocationId":"call-2","result":["x"]}'])
    expect(seen).toEqual(['outer Run []', 'inner', 'run', 'outer Later ["x"]', 'inner'])
  })

  it('may refuse a call, and may leave its failure alone', async () => {
    const hub = defineHub<Things>({
      methods: { Run: () => Promise.reject(new Error('of the method')), Given: (_, a) => a, Later: (_, name) => name },
      filters: [
        {
          invoke({ method }, next) {
            if (method === 'Given') throw new HubException('not today')
            void next()
            return 'instead'
          },
        },
      ],
    })
    const { connect } = openRuntime(hub)
    const client = connect('a')
    await client.call('Given', 'a', 1)
    await client.call('Run')
    expect(client.records).toEqual([
      `{"type":3,"invocationId":"call-1","error":"Failed to invoke 'Given' due to an error on the server."}`,
      '{"type":3,"invocationId":"call-2","result":"instead"}',
    ])
    await client.call('Given', 'a')
    expect(client.records[2]).toContain("invoking 'Given' on the server. HubException: not today")
  })
})
