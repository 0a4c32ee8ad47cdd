import { describe, expect, it } from 'vitest'
import { defineHub } from '../src/hub/hub-definition.ts'
import { openRuntime, type RuntimeOptions, settle } from './hub-runtime-scene.ts'
import { until } from './until.ts'

interface Chat {
  server: {
    Others(text: string): void
    OthersInGroup(group: string, text: string): void
    Caller(text: string): void
    Ask(): string
    AskOther(id: string): string
    FireAndForget(): void
  }
  client: {
    Said(text: unknown): void
    Name(question?: string): string
  }
}

const hub = defineHub<Chat>({
  methods: {
    Others: ({ clients }, text) => clients.others.send('Said', text),
    OthersInGroup: ({ clients }, group, text) => clients.othersInGroup(group).send('Said', text),
    Caller: ({ caller }, text) => caller.send('Said', text),
    Ask: ({ caller }) => caller.invoke('Name'),
    AskOther: ({ clients }, id) => clients.client(id).invoke('Name'),
    FireAndForget: ({ caller }) => void caller.invoke('Name'),
  },
})

const said = (text: unknown) => `{"type":1,"target":"Said","arguments":[${JSON.stringify(text)}]}`
const asked = (id: string) => `{"type":1,"invocationId":"${id}","target":"Name","arguments":[]}`

/** Four clients: `a` and `b` are the user `ada`, `b` and `c` are in the group `g`, `c` and `d` in `h`. */
function openChat(options: RuntimeOptions = {}) {
  const scene = openRuntime(hub, options)
  const all = {
    a: scene.connect('a', { user: 'ada' }),
    b: scene.connect('b', { user: 'ada', groups: ['g'] }),
    c: scene.connect('c', { user: 'bob' }),
    d: scene.connect('d'),
  }
  const { groups } = scene.runtime
  void groups.add('c', 'g')
  void groups.add('c', 'h')
  void groups.add('d', 'h')
  const counts = new Map<string, number>()
  /** Who got what since the last time. */
  const heard = (): string => {
    // What is not the first in its turn goes out when the turn is over.
    scene.clock.turn()
    const names = Object.entries(all).map(([name, { records }]) => {
      const count = records.filter((record) => record.includes('"Said"')).length
      const before = counts.get(name) ?? 0
      counts.set(name, count)
      return name.repeat(count - before)
    })
    return names.join('')
  }
  return { ...scene, ...all, heard }
}

describe('what is sent to clients', () => {
  it('goes to those whom it is for, once each', () => {
    const { runtime, heard } = openChat()
    const { clients } = runtime
    const targets = {
      all: clients.all,
      'all except b and x': clients.allExcept(['b', 'x']),
      'client c': clients.client('c'),
      'client nobody': clients.client('x'),
      'clients a, d, a': clients.clients(['a', 'd', 'a']),
      'user ada': clients.user('ada'),
      'users bob and ada': clients.users(['bob', 'ada', 'eve']),
      'group g': clients.group('g'),
      'group G': clients.group('G'),
      'groups g and h': clients.groups(['g', 'h']),
      'group g except c': clients.groupExcept('g', ['c']),
    }
    const outcome = Object.entries(targets).map(([name, target]) => {
      target.send('Said', 'hi')
      return [name, heard()]
    })
    expect(Object.fromEntries(outcome)).toEqual({
      all: 'abcd',
      'all except b and x': 'acd',
      'client c': 'c',
      'client nobody': '',
      'clients a, d, a': 'ad',
      'user ada': 'ab',
      'users bob and ada': 'abc',
      'group g': 'bc',
      'group G': '',
      'groups g and h': 'bcd',
      'group g except c': 'b',
    })
  })

  it('goes to others and to the caller, where a method sends it', async () => {
    const { b, heard } = openChat()
    await b.call('Others', 'hi')
    expect(heard()).toBe('acd')
    await b.call('OthersInGroup', 'g', 'hi')
    expect(heard()).toBe('c')
    await b.call('Caller', 'hi')
    expect(heard()).toBe('b')
  })

  it('comes before the answer of the method that sends it', async () => {
    const { d } = openChat()
    expect(await d.call('Caller', 'hi')).toEqual([said('hi'), '{"type":3,"invocationId":"call-1","result":null}'])
  })

  it('is encoded once, however many get it', () => {
    const { runtime, a, d } = openChat()
    let encodings = 0
    runtime.clients.all.send('Said', { toJSON: () => ++encodings })
    expect(encodings).toBe(1)
    expect(a.transport.taken.at(-1)).toBe(d.transport.taken.at(-1))
  })

  it('that can not be encoded is the sender’s error, and nobody gets it', () => {
    const { runtime, heard } = openChat()
    expect(() => runtime.clients.all.send('Said', 1n)).toThrow(TypeError)
    expect(heard()).toBe('')
  })

  it('is for those who are there: not for who left its group, nor for who is gone', async () => {
    const { runtime, b, heard } = openChat()
    void runtime.groups.remove('c', 'g')
    b.transport.hangUp()
    runtime.clients.group('g').send('Said', 'hi')
    runtime.clients.user('ada').send('Said', 'hi')
    expect(heard()).toBe('a')
    expect(runtime.connectionCount).toBe(3)
  })
})

describe('groups', () => {
  it('know whether there is such a connection', async () => {
    const { add, remove } = openChat().runtime.groups
    expect(await Promise.all([add('x', 'g'), remove('x', 'g')])).toEqual([false, false])
    expect(await Promise.all([add('c', 'g'), remove('a', 'none')])).toEqual([true, true])
  })

  it('are bounded for each connection, which is reported where nobody awaits it', async () => {
    const { runtime, errors } = openChat({ limits: { connectionGroupsMax: 2 } })
    await expect(runtime.groups.add('c', 'third')).rejects.toThrow(RangeError)
    expect(await runtime.groups.add('c', 'g')).toBe(true)
    expect(errors).toEqual([])
    void runtime.groups.add('c', 'third')
    await until(() => errors.length > 0, 'it is reported')
    expect(errors).toMatchObject([{ error: { name: 'RangeError' }, where: 'groups' }])
  })
})

describe('a client that takes nothing', () => {
  it('is closed so that it may come back, and others miss nothing', () => {
    const { runtime, a, b, heard } = openChat({ limits: { heldBytesMax: 10_000 } })
    a.transport.isTaking = false
    for (let count = 0; count < 4; count++) runtime.clients.all.send('Said', 'x'.repeat(4000))
    expect(a.ends).toMatchObject([{ code: 'reader_stalled' }])
    expect(runtime.connectionCount).toBe(3)
    a.transport.take()
    expect(heard()).toBe('aaabbbbccccdddd')
    expect([a.connection.state, b.connection.state]).toEqual(['closing', 'open'])
  })

  it('is told that it may come back', () => {
    const { runtime, a } = openChat({ limits: { heldBytesMax: 10_000 } })
    a.transport.isTaking = false
    for (let count = 0; count < 4; count++) runtime.clients.client('a').send('Said', 'x'.repeat(4000))
    a.transport.take()
    expect(a.transport.text).toContain('"type":7')
    expect(a.transport.text).toContain('"allowReconnect":true')
  })
})

describe('the result of a client (T2)', () => {
  it('is what it answers', async () => {
    const { runtime, a } = openChat()
    const answer = runtime.clients.client('a').invoke('Name', 'who?')
    expect(a.transport.text).toContain('{"type":1,"invocationId":"s1","target":"Name","arguments":["who?"]}')
    await a.say({ type: 3, invocationId: 's1', result: 'Ada' })
    expect(await answer).toBe('Ada')
  })

  it('may be nothing', async () => {
    const { runtime, a } = openChat()
    const answer = runtime.clients.client('a').invoke('Name')
    await a.say({ type: 3, invocationId: 's1' })
    expect(await answer).toBeUndefined()
  })

  it.each(["Client didn't provide a result.", 'Client provided multiple results.', 'Error: thrown'])(
    'is its error: %s',
    async (error) => {
      const { runtime, a } = openChat()
      const answer = runtime.clients.client('a').invoke('Name')
      await a.say({ type: 3, invocationId: 's1', error })
      await expect(answer).rejects.toMatchObject({ name: 'HubException', message: error })
    },
  )

  it('can be asked for within a method, whose caller gets its error', async () => {
    const { a, clock } = openChat()
    await a.call('Ask')
    await a.say({ type: 3, invocationId: 's1', result: 'Ada' })
    await a.call('Ask')
    await a.say({ type: 3, invocationId: 's2', error: 'no' })
    await settle(clock)
    expect(a.records.filter((record) => record.includes('call-'))).toEqual([
      '{"type":3,"invocationId":"call-1","result":"Ada"}',
      `{"type":3,"invocationId":"call-2","error":"An unexpected error occurred invoking 'Ask' on the server. HubException: no"}`,
    ])
  })

  it('is not taken from another connection', async () => {
    const { runtime, a, b } = openChat()
    const answer = runtime.clients.client('a').invoke('Name')
    await b.say({ type: 3, invocationId: 's1', result: 'Eve' })
    await a.say({ type: 3, invocationId: 's1', result: 'Ada' })
    await a.say({ type: 3, invocationId: 's1', result: 'again' })
    expect(await answer).toBe('Ada')
    expect(b.connection.state).toBe('open')
  })

  it('is an error where there is no such client, or where it is lost', async () => {
    const { runtime, a, clock } = openChat()
    await expect(runtime.clients.client('x').invoke('Name')).rejects.toMatchObject({ code: 'not_found' })
    const answer = runtime.clients.client('a').invoke('Name')
    a.transport.hangUp()
    await expect(answer).rejects.toMatchObject({ code: 'not_found', message: "Connection 'a' was lost." })
    expect(clock.timerCount).toBe(0)
  })

  it('is awaited for a bounded time', async () => {
    const { runtime, clock, a } = openChat()
    const byDefault = runtime.clients.client('a').invoke('Name')
    const shortly = runtime.clients.client('a').with({ timeoutMs: 50 }).invoke('Name')
    clock.advance(50)
    await expect(shortly).rejects.toMatchObject({ code: 'client_timeout' })
    clock.advance(30_000)
    await expect(byDefault).rejects.toMatchObject({ code: 'client_timeout' })
    await a.say({ type: 3, invocationId: 's1', result: 'late' })
    expect(a.connection.state).toBe('open')
  })

  it('is awaited until its signal is aborted', async () => {
    const { runtime, clock } = openChat()
    const controller = new AbortController()
    const one = runtime.clients.client('a').with({ signal: controller.signal })
    const answer = one.invoke('Name')
    controller.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
    await expect(one.invoke('Name')).rejects.toThrow('enough')
    expect(clock.timerCount).toBe(0)
  })

  it('is one of so many that may be awaited', async () => {
    const { runtime } = openChat({ limits: { clientResultsMax: 1 } })
    void runtime.clients.client('a').invoke('Name')
    await expect(runtime.clients.client('a').invoke('Name')).rejects.toThrow(RangeError)
  })

  it('that nobody awaits ends no process', async () => {
    const { a, clock } = openChat()
    await a.call('FireAndForget')
    await a.say({ type: 3, invocationId: 's1', error: 'no' })
    await settle(clock)
    expect(a.records).toHaveLength(2)
    expect(a.records[0]).toBe(asked('s1'))
  })

  it('can be asked of another client', async () => {
    const { a, d } = openChat()
    await a.call('AskOther', 'd')
    await d.say({ type: 3, invocationId: 's1', result: 'Dora' })
    expect(a.records).toEqual(['{"type":3,"invocationId":"call-1","result":"Dora"}'])
  })
})
