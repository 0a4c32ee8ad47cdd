import { describe, expect, it } from 'vitest'
import type { AudienceInput } from '../src/channel/audience.ts'
import { ChannelError } from '../src/channel/channel-error.ts'
import { openScene } from './channel-scene.ts'

/** Five connections of three users, and who gets a message for the audience. */
async function whoGets(to: AudienceInput | undefined): Promise<{ ids: string[]; counted: number }> {
  const { connect, post, clock } = await openScene()
  const clients = {
    a1: connect('a1', { user: 'ann', groups: ['sales', 'all'] }),
    a2: connect('a2', { user: 'ann' }),
    b1: connect('b1', { user: 'bob', groups: ['sales'] }),
    c1: connect('c1', { user: 'group:sales' }),
    nobody: connect('nobody'),
  }
  const { connections } = await post('hello', to)
  await clock.settle()
  const ids = Object.entries(clients).flatMap(([id, { outlet }]) => outlet.bodies.map(() => id))
  return { ids, counted: connections }
}

describe('an audience', () => {
  it.each<[string, AudienceInput | undefined, string[]]>([
    ['left out is everybody', undefined, ['a1', 'a2', 'b1', 'c1', 'nobody']],
    ['all is everybody', 'all', ['a1', 'a2', 'b1', 'c1', 'nobody']],
    ['all as an object is everybody', { all: true }, ['a1', 'a2', 'b1', 'c1', 'nobody']],
    ['all but some', { all: true, except: ['a2', 'c1'] }, ['a1', 'b1', 'nobody']],
    ['except alone is all but those', { except: 'a1' }, ['a2', 'b1', 'c1', 'nobody']],
    ['a user is all of its connections', { users: 'ann' }, ['a1', 'a2']],
    ['several users', { users: ['ann', 'bob'] }, ['a1', 'a2', 'b1']],
    ['a user named twice counts once', { users: ['ann', 'ann'] }, ['a1', 'a2']],
    ['a group', { groups: ['sales'] }, ['a1', 'b1']],
    ['a group that is called like everybody', { groups: 'all' }, ['a1']],
    ['connections', { connections: ['b1', 'nobody'] }, ['b1', 'nobody']],
    ['a connection that is gone', { connections: 'gone' }, []],
    [
      'users, groups and connections at once, each connection once',
      { users: 'ann', groups: 'sales', connections: ['a1', 'b1', 'nobody'] },
      ['a1', 'a2', 'b1', 'nobody'],
    ],
    ['users but one connection', { users: 'ann', except: ['a1'] }, ['a2']],
    ['a connection that is both named and excepted', { connections: ['a1', 'b1'], except: ['a1'] }, ['b1']],
    ['a user whose id looks like a group', { users: 'group:sales' }, ['c1']],
    ['a group whose name looks like a user', { groups: 'user:ann' }, []],
    ['a list of nobody', { users: [] }, []],
  ])('%s', async (_, to, ids) => {
    expect(await whoGets(to)).toEqual({ ids, counted: ids.length })
  })

  it('takes any iterable of ids', async () => {
    expect((await whoGets({ users: new Set(['bob']) })).ids).toEqual(['b1'])
  })

  it.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'all',
    'user:7',
    'group:7',
    'connection:x',
    ' ',
    '💥',
  ])('knows %j as the name of a user, a group and a connection, and keeps the three apart', async (name) => {
    const { connect, post, clock } = await openScene()
    const user = connect('1', { user: name })
    const group = connect('2', { groups: [name] })
    const connection = connect(name)
    const others = [connect('4', { user: `${name}x`, groups: [`x${name}`] })]
    await post('user', { users: name })
    await post('group', { groups: [name] })
    await post('connection', { connections: [name] })
    await clock.settle()
    expect(user.outlet.bodies).toEqual(['user'])
    expect(group.outlet.bodies).toEqual(['group'])
    expect(connection.outlet.bodies).toEqual(['connection'])
    expect(others.flatMap(({ outlet }) => outlet.bodies)).toEqual([])
  })

  it('does not take a user id for that of another which its key could be confused with', async () => {
    const { connect, post, clock } = await openScene()
    const tricky = connect('1', { user: '7', groups: ['7'] })
    for (const name of ['user:7', 'group:7', ':7', '7:', 'user', 'connection:1']) {
      await post(name, { users: name, groups: name, connections: name })
    }
    await clock.settle()
    expect(tricky.outlet.bodies).toEqual([])
  })

  it.each<[string, unknown]>([
    ['a word that is not all', 'everybody'],
    ['a number', 7],
    ['null', null],
    ['an empty object', {}],
    ['all said to be false', { all: false }],
    ['ids that are no list', { users: 7 }],
    ['ids that are an object', { users: { 0: 'a' } }],
    ['an id that is no string', { groups: ['a', 7] }],
    ['an empty id', { users: [''] }],
    ['an id of 257 characters', { users: ['x'.repeat(257)] }],
    ['more ids than allowed', { users: Array.from({ length: 10_001 }, (_, index) => String(index)) }],
    [
      'more ids than allowed in all lists together',
      {
        users: Array.from({ length: 6000 }, (_, index) => String(index)),
        except: Array.from({ length: 6000 }, (_, index) => String(index)),
      },
    ],
  ])('is refused where it is %s', async (_, to) => {
    const { post } = await openScene()
    const error: unknown = await post('x', to as AudienceInput).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ChannelError)
    expect((error as ChannelError).code).toBe('audience_invalid')
  })
})

describe('an audience with very many exceptions', () => {
  it('costs no more for each connection than one with few', async () => {
    const { connect, post, clock } = await openScene()
    const clients = Array.from({ length: 5000 }, (_, index) => connect(`connection-${index}`))
    const except = Array.from({ length: 10_000 }, (_, index) => `connection-${index + 2500}`)
    const start = process.cpuUsage()
    const { connections } = await post('x', { all: true, except })
    await clock.settle()
    // Looking through the list for each of them took more than a second.
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(400)
    expect([connections, clients.filter(({ outlet }) => outlet.bodies.length > 0).length]).toEqual([2500, 2500])
  })
})

describe('groups', () => {
  it('bring what is posted after the connection joined, and nothing after it left', async () => {
    const { channel, connect, post, clock } = await openScene()
    const { outlet } = connect('c')
    await post('before', { groups: 'g' })
    expect(channel.joinGroup('c', 'g')).toBe(true)
    await post('in', { groups: 'g' })
    await clock.settle()
    expect(channel.leaveGroup('c', 'g')).toBe(true)
    await post('after', { groups: 'g' })
    await clock.settle()
    expect(outlet.bodies).toEqual(['in'])
  })

  it('bring nothing from before the connection joined to a client that was behind then', async () => {
    const { channel, connect, post, clock } = await openScene()
    const { outlet, block, drain } = connect('c')
    block()
    await post('x'.repeat(600))
    await clock.settle()
    await post('first')
    await post('before', { groups: 'g' })
    await clock.settle()
    channel.joinGroup('c', 'g')
    await post('in', { groups: 'g' })
    await post('last')
    drain()
    await clock.settle()
    expect(outlet.bodies.slice(1)).toEqual(['first', 'in', 'last'])
  })

  it('bring nothing from before, also where the client is behind and nothing else is for it', async () => {
    const { channel, connect, post, clock } = await openScene()
    const { outlet, block, drain } = connect('c', { groups: ['h'] })
    block()
    for (const body of ['x'.repeat(600), 'held']) {
      await post(body, { groups: 'h' })
      await clock.settle()
    }
    channel.leaveGroup('c', 'h')
    await post('before', { groups: 'g' })
    channel.joinGroup('c', 'g')
    await post('in', { groups: 'g' })
    drain()
    await clock.settle()
    expect(outlet.bodies.slice(1)).toEqual(['in'])
  })

  it('may be joined twice and left twice', async () => {
    const { channel, connect, post, clock } = await openScene()
    const { outlet } = connect('c', { groups: ['g'] })
    channel.joinGroup('c', 'g')
    await post('once', { groups: 'g' })
    await clock.settle()
    channel.leaveGroup('c', 'g')
    channel.leaveGroup('c', 'g')
    await post('never', { groups: 'g' })
    await clock.settle()
    expect(outlet.bodies).toEqual(['once'])
  })

  it('say whether there is such a connection', async () => {
    const { channel } = await openScene()
    expect(channel.joinGroup('gone', 'g')).toBe(false)
    expect(channel.leaveGroup('gone', 'g')).toBe(false)
  })
})
