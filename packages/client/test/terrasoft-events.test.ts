// oxlint-disable typescript/unbound-method -- handlers with their scope beside them are what is tested.
// The table of PARITY 2.2, line by line: what `on`, `un` and `fireEvent` do in ExtJS 4.2.
import { beforeEach, describe, expect, it } from 'vitest'
import { createTerrasoft, type ServerChannel } from '../src/terrasoft.ts'
import { World } from './harness.ts'

let world: World
let channel: ServerChannel
/** What handlers were called with, each call with the handler's name first. */
let calls: unknown[][]

beforeEach(() => {
  world = new World()
  channel = createTerrasoft({ ...world.options, url: 'http://host.test/msg', log: () => {} }).ServerChannel
  calls = []
})

/** A handler that notes its calls. */
function named(name: string, result?: unknown): (...args: unknown[]) => unknown {
  return (...args) => {
    calls.push([name, ...args])
    return result
  }
}

const names = (): unknown[] => calls.map(([name]) => name)

describe('event names', () => {
  it('are lower-cased on add, remove and fire', () => {
    const handler = named('a')
    channel.on('MyEvent', handler)
    channel.fireEvent('MYEVENT', 1)
    channel.fireEvent('myevent', 2)
    channel.un('mYeVENT', handler)
    channel.fireEvent('MyEvent', 3)
    expect(calls).toEqual([
      ['a', 1],
      ['a', 2],
    ])
  })

  it.each(['__proto__', 'constructor', 'toString'])('may be %s', (event) => {
    channel.on(event, named('a'))
    channel.fireEvent(event, 1)
    channel.fireEvent('another', 2)
    expect(calls).toEqual([['a', 1]])
  })
})

describe('the object form', () => {
  it('adds and removes several events with one scope', () => {
    const page = {
      name: 'page',
      onOne(this: { name: string }) {
        calls.push(['one', this.name])
      },
      onTwo(this: { name: string }) {
        calls.push(['two', this.name])
      },
    }
    const handlers = { one: page.onOne, two: page.onTwo, scope: page }
    channel.on(handlers)
    channel.fireEvent('one')
    channel.fireEvent('two')
    expect(calls).toEqual([
      ['one', 'page'],
      ['two', 'page'],
    ])
    channel.un(handlers)
    channel.fireEvent('one')
    channel.fireEvent('two')
    expect(calls).toHaveLength(2)
  })

  it('takes options for all of its events, and passes itself as them', () => {
    const handlers = { one: named('one'), two: named('two'), single: true }
    channel.on(handlers)
    for (const event of ['one', 'two', 'one', 'two']) channel.fireEvent(event, event)
    expect(calls).toEqual([
      ['one', 'one', handlers],
      ['two', 'two', handlers],
    ])
  })

  it('takes a handler with a scope and options of its own', () => {
    const scope = { name: 'scope' }
    const own = { name: 'own' }
    const seen: unknown[] = []
    function handler(this: unknown): void {
      seen.push(this)
    }
    const config = { fn: handler, scope: own, single: true }
    channel.on({ one: config, two: { fn: handler }, scope })
    for (const event of ['one', 'two', 'one', 'two']) channel.fireEvent(event)
    expect(seen).toEqual([own, scope, scope])
    channel.un({ two: { fn: handler }, scope })
    channel.fireEvent('two')
    expect(seen).toHaveLength(3)
  })

  it('takes the names of its options for no events', () => {
    channel.on({ one: named('one'), scope: {}, delay: 0, buffer: 0, priority: 1, destroyable: true, target: undefined })
    for (const event of ['scope', 'delay', 'buffer', 'priority', 'destroyable', 'target', 'single']) {
      expect(channel.hasListener(event)).toBe(false)
    }
    expect(channel.hasListener('one')).toBe(true)
  })
})

describe('a handler', () => {
  it('is called with its scope as this, by default the channel', () => {
    const seen: unknown[] = []
    const scope = {}
    function handler(this: unknown): void {
      seen.push(this)
    }
    channel.on('a', handler, scope)
    channel.on('a', handler)
    channel.fireEvent('a')
    expect(seen[0]).toBe(scope)
    expect(seen[1]).toBe(channel)
  })

  it('may be the name of a method of its scope', () => {
    const page = {
      name: 'page',
      onEvent(this: { name: string }, value: unknown) {
        calls.push([this.name, value])
      },
    }
    channel.on('a', 'onEvent', page)
    channel.on('a', page.onEvent, page)
    channel.fireEvent('a', 1)
    expect(calls).toEqual([['page', 1]])
    channel.un('a', 'onEvent', page)
    channel.fireEvent('a', 2)
    expect(calls).toHaveLength(1)
  })

  it.each([
    ['the name of no method', 'missing', {}],
    ['nothing', undefined, {}],
    ['no function', 5, {}],
  ])('that is %s is refused at once', (_name, fn, scope) => {
    expect(() => channel.on('a', fn as string, scope)).toThrow(TypeError)
  })

  it('with the same scope is added once; with another scope it is another', () => {
    const handler = named('a')
    const scope = {}
    channel.on('a', handler, scope)
    channel.on('a', handler, scope)
    channel.on('A', handler, scope, { priority: 5 })
    channel.fireEvent('a')
    expect(calls).toHaveLength(1)
    channel.on('a', handler, {})
    channel.on('a', handler)
    channel.on('a', handler, channel)
    channel.fireEvent('a')
    expect(calls).toHaveLength(4)
  })

  it('is taken off with the same function and the same scope only; else nothing happens', () => {
    const handler = named('a')
    const scope = {}
    channel.on('a', handler, scope)
    channel.un('a', handler)
    channel.un('a', handler, {})
    channel.un('a', named('a'), scope)
    channel.un('b', handler, scope)
    channel.un('a', 'missing', scope)
    channel.fireEvent('a')
    expect(calls).toHaveLength(1)
    channel.un('a', handler, scope)
    channel.fireEvent('a')
    expect(calls).toHaveLength(1)
    channel.on('a', handler)
    channel.un('a', handler, null)
    channel.fireEvent('a')
    expect(calls).toHaveLength(1)
  })

  it('gets its options as the last argument, where it was given some', () => {
    const options = { priority: 1 }
    channel.on('a', named('with'), {}, options)
    channel.on('a', named('without'))
    channel.fireEvent('a', 1, 2)
    expect(calls).toEqual([
      ['with', 1, 2, options],
      ['without', 1, 2],
    ])
    expect(calls[0]?.[3]).toBe(options)
  })

  it('that returns false stops the later ones, and nothing else does', () => {
    channel.on('a', named('undefined'))
    channel.on('a', named('zero', 0))
    channel.on('a', named('null', null))
    channel.on('a', named('empty', ''))
    channel.on('a', named('false', false))
    channel.on('a', named('after'))
    expect(channel.fireEvent('a')).toBe(false)
    expect(names()).toEqual(['undefined', 'zero', 'null', 'empty', 'false'])
    expect(channel.fireEvent('nobody')).toBe(true)
  })

  it('that throws is reported, and the later ones run', () => {
    const error = new Error('handler')
    channel.on('a', () => {
      throw error
    })
    channel.on('a', named('after'))
    expect(channel.fireEvent('a')).toBe(true)
    expect(names()).toEqual(['after'])
    expect(world.reported).toEqual([error])
  })
})

describe('firing', () => {
  it('goes on with the handlers that it began with', () => {
    const second = named('second')
    channel.on('a', () => {
      calls.push(['first'])
      channel.un('a', second)
      channel.on('a', named('added'))
    })
    channel.on('a', second)
    channel.fireEvent('a')
    expect(names()).toEqual(['first', 'second'])
    calls = []
    channel.fireEvent('a')
    expect(names()).toEqual(['first', 'added'])
  })

  it('goes on where a handler clears them all', () => {
    channel.on('a', () => channel.clearListeners())
    channel.on('a', named('second'))
    channel.fireEvent('a')
    channel.fireEvent('a')
    expect(names()).toEqual(['second'])
  })
})

describe('the option single', () => {
  it('has the handler called once', () => {
    channel.on('a', named('a'), undefined, { single: true })
    channel.fireEvent('a', 1)
    channel.fireEvent('a', 2)
    expect(calls).toEqual([['a', 1, { single: true }]])
    expect(channel.hasListener('a')).toBe(false)
  })

  it('has it called once also where it fires the event itself', () => {
    channel.on(
      'a',
      () => {
        calls.push(['a'])
        channel.fireEvent('a')
      },
      undefined,
      { single: true },
    )
    channel.fireEvent('a')
    expect(names()).toEqual(['a'])
  })

  it('has it called once also where a handler before it fires the event again', () => {
    let depth = 0
    channel.on('a', () => {
      if (depth++ === 0) channel.fireEvent('a')
    })
    channel.on('a', named('a'), undefined, { single: true })
    channel.fireEvent('a')
    expect(names()).toEqual(['a'])
  })

  it('with delay has it called once, however many events came in the meantime', async () => {
    channel.on('a', named('a'), undefined, { single: true, delay: 10 })
    channel.fireEvent('a', 1)
    channel.fireEvent('a', 2)
    await world.clock.pass(100)
    expect(calls.map(([, value]) => value)).toEqual([1])
  })
})

describe('the option delay', () => {
  it('has the handler called so many milliseconds later, for each event', async () => {
    channel.on('a', named('a'), undefined, { delay: 100 })
    channel.fireEvent('a', 1)
    await world.clock.pass(60)
    channel.fireEvent('a', 2)
    await world.clock.pass(39)
    expect(calls).toEqual([])
    await world.clock.pass(1)
    expect(calls).toEqual([['a', 1, { delay: 100 }]])
    await world.clock.pass(60)
    expect(calls.map(([, value]) => value)).toEqual([1, 2])
  })

  it('keeps a handler from stopping others, and its errors from anybody', async () => {
    const error = new Error('late')
    channel.on('a', named('late', false), undefined, { delay: 10 })
    channel.on(
      'a',
      () => {
        throw error
      },
      undefined,
      { delay: 10 },
    )
    channel.on('a', named('now'))
    expect(channel.fireEvent('a')).toBe(true)
    await world.clock.pass(10)
    expect(names()).toEqual(['now', 'late'])
    expect(world.reported).toEqual([error])
  })
})

describe('the option buffer', () => {
  it('has the handler called so many milliseconds after the last event, with its arguments', async () => {
    channel.on('a', named('a'), undefined, { buffer: 100 })
    for (let n = 1; n <= 5; n++) {
      channel.fireEvent('a', n)
      await world.clock.pass(99)
    }
    expect(calls).toEqual([])
    await world.clock.pass(1)
    expect(calls).toEqual([['a', 5, { buffer: 100 }]])
    channel.fireEvent('a', 6)
    await world.clock.pass(100)
    expect(calls).toHaveLength(2)
  })
})

describe('the options buffer and delay together', () => {
  it('have the handler called for each end of a series, so much later', async () => {
    channel.on('a', named('a'), undefined, { buffer: 10, delay: 100 })
    channel.fireEvent('a', 1)
    channel.fireEvent('a', 2)
    await world.clock.pass(50)
    channel.fireEvent('a', 3)
    await world.clock.pass(59)
    expect(calls).toEqual([])
    await world.clock.pass(1)
    expect(calls.map(([, value]) => value)).toEqual([2])
    await world.clock.pass(50)
    expect(calls.map(([, value]) => value)).toEqual([2, 3])
  })
})

describe('taking a handler off', () => {
  it.each([
    ['delayed', { delay: 100 }],
    ['buffered', { buffer: 100 }],
  ])('cancels its %s calls', async (_name, options) => {
    const handler = named('a')
    channel.on('a', handler, undefined, options)
    channel.fireEvent('a', 1)
    channel.fireEvent('a', 2)
    channel.un('a', handler)
    await world.clock.pass(1_000)
    expect(calls).toEqual([])
  })

  it('all of them cancels their calls too', async () => {
    channel.on('a', named('a'), undefined, { delay: 100 })
    channel.on('b', named('b'), undefined, { buffer: 100 })
    channel.fireEvent('a')
    channel.fireEvent('b')
    channel.clearListeners()
    channel.fireEvent('a')
    await world.clock.pass(1_000)
    expect(calls).toEqual([])
  })
})

describe('the option target', () => {
  it('has the handler called only where it is the first argument', () => {
    channel.on('a', named('a'), undefined, { target: channel })
    channel.fireEvent('a', {}, 1)
    channel.fireEvent('a', channel, 2)
    expect(calls.map(([, , value]) => value)).toEqual([2])
  })
})

describe('the option priority', () => {
  it('puts higher ones first, negative ones last, and equal ones in the order in which they were added', () => {
    const add = (name: string, priority?: number): unknown =>
      channel.on('a', named(name), undefined, priority === undefined ? undefined : { priority })
    add('none 1')
    add('-5', -5)
    add('10', 10)
    add('none 2')
    add('-1', -1)
    add('0', 0)
    add('20', 20)
    add('10 again', 10)
    add('-1 again', -1)
    add('none 3')
    channel.fireEvent('a')
    expect(names()).toEqual(['20', '10', '10 again', 'none 1', 'none 2', '0', 'none 3', '-1', '-1 again', '-5'])
  })
})

describe('the option destroyable', () => {
  it('has on return what takes the handler off', () => {
    const scope = {}
    const destroyable = channel.on('a', named('a'), scope, { destroyable: true })
    expect(channel.on('b', named('b'))).toBeUndefined()
    channel.fireEvent('a')
    destroyable?.destroy()
    destroyable?.destroy()
    channel.fireEvent('a')
    expect(calls).toHaveLength(1)
  })

  it('in the object form takes off all of its handlers', () => {
    const destroyable = channel.on({ one: named('one'), two: named('two'), destroyable: true })
    destroyable?.destroy()
    channel.fireEvent('one')
    channel.fireEvent('two')
    expect(calls).toEqual([])
  })
})

describe('suspendEvents', () => {
  it('drops events until resumeEvents', () => {
    channel.on('a', named('a'))
    channel.suspendEvents()
    expect(channel.fireEvent('a', 1)).toBe(true)
    channel.resumeEvents()
    channel.fireEvent('a', 2)
    expect(calls).toEqual([['a', 2]])
  })

  it('keeps them for resumeEvents where it is asked to', () => {
    channel.on('a', named('a'))
    channel.on('b', named('b'))
    channel.suspendEvents(true)
    channel.fireEvent('a', 1)
    channel.fireEvent('B', 2)
    expect(calls).toEqual([])
    channel.resumeEvents()
    expect(calls).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    channel.resumeEvents()
    expect(calls).toHaveLength(2)
  })

  it('needs as many calls of resumeEvents as there were of it', () => {
    channel.on('a', named('a'))
    channel.suspendEvents(true)
    channel.suspendEvents()
    channel.resumeEvents()
    channel.fireEvent('a', 1)
    expect(calls).toEqual([])
    channel.resumeEvents()
    expect(calls).toEqual([['a', 1]])
    channel.resumeEvents()
    channel.fireEvent('a', 2)
    expect(calls).toHaveLength(2)
    channel.suspendEvents()
    channel.fireEvent('a', 3)
    expect(calls).toHaveLength(2)
  })

  it('keeps 10,000 events and reports those beyond', () => {
    channel.on('a', named('a'))
    channel.suspendEvents(true)
    for (let n = 1; n <= 10_001; n++) channel.fireEvent('a', n)
    expect(world.reported).toMatchObject([{ code: 'buffer_overflow' }])
    channel.resumeEvents()
    expect(calls).toHaveLength(10_000)
    expect(calls.at(-1)).toEqual(['a', 10_000])
  })
})

describe('addListener and removeListener', () => {
  it('are on and un', () => {
    const handler = named('a')
    channel.addListener('a', handler)
    channel.on('a', handler)
    channel.fireEvent('a')
    expect(calls).toHaveLength(1)
    channel.removeListener('a', handler)
    channel.fireEvent('a')
    expect(calls).toHaveLength(1)
  })
})
