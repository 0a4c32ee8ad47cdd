// The module bus of Creatio's pages. PARITY 2.4.
import { beforeEach, describe, expect, it } from 'vitest'
import { MessageDirectionType, MessageMode, type Sandbox, Sandboxes } from '../src/terrasoft-bridge.ts'

const { BROADCAST, PTP } = MessageMode
const { PUBLISH, SUBSCRIBE, BIDIRECTIONAL } = MessageDirectionType

let reported: unknown[]
let sandboxes: Sandboxes
let calls: unknown[][]

beforeEach(() => {
  reported = []
  calls = []
  sandboxes = new Sandboxes((error) => reported.push(error))
})

/** A module that may do both with these. */
function moduleOf(id: string, mode: 'broadcast' | 'ptp' = BROADCAST): Sandbox {
  const sandbox = sandboxes.create(id)
  sandbox.registerMessages({ M: { mode, direction: BIDIRECTIONAL }, N: { mode, direction: BIDIRECTIONAL } })
  return sandbox
}

function named(name: string, result?: unknown): (argument: unknown) => unknown {
  return (argument) => {
    calls.push([name, argument])
    return result
  }
}

const names = (): unknown[] => calls.map(([name]) => name)

describe('a declaration', () => {
  it.each([
    ['subscribe', PUBLISH],
    ['publish', SUBSCRIBE],
  ] as const)('is needed to %s, and not one of the other direction', (action, other) => {
    const sandbox = sandboxes.create('Page')
    const act = (): unknown => (action === 'publish' ? sandbox.publish('M') : sandbox.subscribe('M', () => {}))
    const refused = {
      name: 'UnsupportedTypeException',
      message: expect.stringContaining(`can't ${action} 'M'`) as string,
    }
    expect(act).toThrow(expect.objectContaining(refused))
    sandbox.registerMessages({ M: { mode: BROADCAST, direction: other } })
    expect(act).toThrow(expect.objectContaining(refused))
    sandbox.registerMessages({ M: { mode: BROADCAST, direction: action } })
    expect(act).not.toThrow()
    sandbox.registerMessages({ M: { mode: BROADCAST, direction: BIDIRECTIONAL } })
    expect(act).not.toThrow()
  })

  it('is the module’s own', () => {
    moduleOf('One')
    expect(() => sandboxes.create('Two').publish('M')).toThrow(/not at all/)
  })

  it.each([
    ['mode', { mode: 'all', direction: PUBLISH }],
    ['direction', { mode: BROADCAST, direction: 'both' }],
  ])('has a %s that there is', (_what, declaration) => {
    expect(() => sandboxes.create('Page').registerMessages({ M: declaration as never })).toThrow(
      expect.objectContaining({ name: 'UnsupportedTypeException' }),
    )
  })

  it('is told by getEventDescriptor', () => {
    const sandbox = moduleOf('Page', PTP)
    expect(sandbox.getEventDescriptor('M')).toEqual({ mode: PTP, direction: BIDIRECTIONAL })
    expect(sandbox.getEventDescriptor('toString')).toBeUndefined()
  })

  it.each([
    ['one name', 'M', ['N']],
    ['several', ['M', 'N'], []],
    ['none, which means all', undefined, []],
  ])('is taken back, with the handlers, by unRegisterMessages with %s', (_how, given, left) => {
    const sandbox = moduleOf('Page')
    const other = moduleOf('Other')
    sandbox.subscribe('M', named('M'))
    sandbox.subscribe('N', named('N'))
    sandbox.unRegisterMessages(given)
    other.publish('M')
    other.publish('N')
    expect(names()).toEqual(left)
    expect(() => sandbox.subscribe('M', () => {})).toThrow(/not at all/)
  })
})

describe('a broadcast message', () => {
  it('reaches every subscriber in the order in which they came, and gives null', () => {
    const [one, two] = [moduleOf('One'), moduleOf('Two')]
    const scope = { is: 'scope' }
    const seen: unknown[] = []
    one.subscribe('M', named('first', 'result'))
    two.subscribe(
      'M',
      function handler(this: unknown) {
        seen.push(this)
      },
      scope,
    )
    one.subscribe('M', named('third'))
    expect(one.publish('M', { id: 1 })).toBeNull()
    expect(calls).toEqual([
      ['first', { id: 1 }],
      ['third', { id: 1 }],
    ])
    expect(seen).toEqual([scope])
    expect(one.publish('N')).toBeNull()
  })

  it('reaches the others where one throws, and that is reported', () => {
    const sandbox = moduleOf('Page')
    const error = new Error('handler')
    sandbox.subscribe('M', () => {
      throw error
    })
    sandbox.subscribe('M', named('after'))
    sandbox.publish('M')
    expect(names()).toEqual(['after'])
    expect(reported).toEqual([error])
  })

  it('is handled once where the same handler with the same scope and tags subscribes twice', () => {
    const sandbox = moduleOf('Page')
    const handler = named('handler')
    const scope = {}
    for (let times = 0; times < 2; times++) sandbox.subscribe('M', handler, scope)
    sandbox.publish('M')
    expect(calls).toHaveLength(1)
    sandbox.subscribe('M', handler, {})
    sandbox.publish('M')
    expect(calls).toHaveLength(3)
  })

  it('goes to those who were there when it was published', () => {
    const sandbox = moduleOf('Page')
    sandbox.subscribe('M', () => sandbox.subscribe('M', named('added')))
    sandbox.publish('M')
    expect(calls).toEqual([])
  })
})

describe('a point-to-point message', () => {
  it('reaches the first subscriber alone, and gives what it returns', () => {
    const [one, two] = [moduleOf('One', PTP), moduleOf('Two', PTP)]
    expect(one.publish('M', 1)).toBeNull()
    one.subscribe('M', named('first', { answer: 42 }))
    two.subscribe('M', named('second'))
    expect(two.publish('M', 1)).toEqual({ answer: 42 })
    expect(names()).toEqual(['first'])
  })

  it('has its handler replaced where the same module subscribes again with the same tags', () => {
    const [one, two] = [moduleOf('One', PTP), moduleOf('Two', PTP)]
    one.subscribe('M', named('old'), null, ['a', 'b'])
    one.subscribe('M', named('new'), null, ['b', 'a'])
    one.subscribe('M', named('other tags'), null, ['c'])
    two.publish('M', 1, ['a'])
    two.publish('M', 1, ['c'])
    expect(names()).toEqual(['new', 'other tags'])
  })

  it('has the publisher get what its handler throws', () => {
    const sandbox = moduleOf('Page', PTP)
    sandbox.subscribe('M', () => {
      throw new Error('handler')
    })
    expect(() => sandbox.publish('M')).toThrow('handler')
    expect(reported).toEqual([])
  })

  it('has its handler taken off by unsubscribePtp, for these very tags', () => {
    const sandbox = moduleOf('Page', PTP)
    sandbox.subscribe('M', named('plain'))
    sandbox.subscribe('M', named('tagged'), null, ['a'])
    sandbox.unsubscribePtp('M', ['b'])
    sandbox.unsubscribePtp('M')
    expect(sandbox.publish('M')).toBeNull()
    sandbox.publish('M', 1, ['a'])
    expect(names()).toEqual(['tagged'])
    sandbox.unsubscribePtp('M', ['a'])
    sandbox.publish('M', 1, ['a'])
    expect(calls).toHaveLength(1)
  })
})

describe('tags', () => {
  it.each([
    [undefined, undefined, true],
    [null, [], true],
    [['a'], undefined, false],
    [undefined, ['a'], false],
    [['a'], ['a'], true],
    [['a', 'b'], ['c', 'b'], true],
    [['a', 'b'], ['c'], false],
    [['a'], ['A'], false],
  ])('of a subscriber %j and of a message %j match: %s', (subscribed, published, expected) => {
    for (const mode of [BROADCAST, PTP]) {
      calls = []
      const sandbox = moduleOf(`Page ${mode}`, mode)
      sandbox.subscribe('M', named('handler'), null, subscribed)
      sandbox.publish('M', 1, published)
      expect(calls.length === 1).toBe(expected)
      expect(sandbox.hasSubscriber('M', published)).toBe(expected)
      sandbox.destroy()
    }
  })
})

describe('a module', () => {
  it('that is gone has no handlers left', () => {
    const [one, two] = [moduleOf('One'), moduleOf('Two')]
    one.subscribe('M', named('one'))
    one.subscribe('N', named('one'), null, ['tag'])
    two.subscribe('M', named('two'))
    one.destroy()
    two.publish('M')
    two.publish('N', 1, ['tag'])
    expect(names()).toEqual(['two'])
    expect(() => one.publish('M')).toThrow(/not at all/)
  })

  it('keeps its declarations where only its handlers are removed', () => {
    const sandbox = moduleOf('Page')
    sandbox.subscribe('M', named('handler'))
    sandbox.removeModuleListeners()
    expect(sandbox.publish('M')).toBeNull()
    expect(calls).toEqual([])
  })

  it('that is loaded again takes the place of the one before', () => {
    moduleOf('Page').subscribe('M', named('old'))
    const anew = moduleOf('Page')
    anew.subscribe('M', named('new'))
    anew.publish('M')
    expect(names()).toEqual(['new'])
  })
})
