// Handlers on other objects: `mon`, `mun`, `relayEvents`, as ExtJS 4.2 has them. PARITY 2.2.
import { beforeEach, describe, expect, it } from 'vitest'
import type { ServerChannel } from '../src/terrasoft.ts'
import { TerrasoftScene } from './terrasoft-scene.ts'

let owner: ServerChannel
let item: ServerChannel
let calls: unknown[][]

beforeEach(() => {
  owner = new TerrasoftScene().channel
  item = new TerrasoftScene().channel
  calls = []
})

function named(name: string): (...args: unknown[]) => void {
  return (...args) => {
    calls.push([name, ...args])
  }
}

describe('mon', () => {
  it('adds a handler to another object, with scope and options', () => {
    const scope = {}
    const seen: unknown[] = []
    function handler(this: unknown): void {
      seen.push(this)
    }
    owner.mon(item, 'A', handler, scope, { single: true })
    owner.mon(item, 'b', handler)
    for (const event of ['a', 'a', 'b']) item.fireEvent(event)
    owner.fireEvent('b')
    expect(seen).toEqual([scope, item])
  })

  it('takes the object form, and the names of methods', () => {
    const page = {
      onEvent() {
        calls.push(['page', this === page])
      },
    }
    owner.mon(item, { one: named('one'), two: 'onEvent', scope: page })
    item.fireEvent('one', 1)
    item.fireEvent('two')
    expect(calls).toEqual([
      ['one', 1, { one: expect.any(Function) as unknown, two: 'onEvent', scope: page }],
      ['page', true],
    ])
    expect(() => owner.mon(item, 'a', 'missing', page)).toThrow(TypeError)
  })

  it('has its handlers gone with those of the one who added them', () => {
    owner.mon(item, 'a', named('managed'))
    item.on('a', named('own'))
    owner.clearListeners()
    item.fireEvent('a')
    expect(calls).toEqual([['own']])
  })

  it('has its handlers gone by clearManagedListeners, while own ones stay', () => {
    owner.mon(item, 'a', named('managed'))
    owner.on('a', named('own'))
    owner.clearManagedListeners()
    item.fireEvent('a')
    owner.fireEvent('a')
    expect(calls).toEqual([['own']])
  })

  it('may be destroyable', () => {
    const destroyable = owner.mon(item, 'a', named('a'), null, { destroyable: true })
    expect(owner.mon(item, 'a', named('b'))).toBeUndefined()
    destroyable?.destroy()
    item.fireEvent('a')
    expect(calls).toEqual([['b']])
  })
})

describe('mun', () => {
  it('takes off what was added with this function and scope, or with any where they are left out', () => {
    const [first, second] = [named('first'), named('second')]
    const scope = {}
    owner.mon(item, 'a', first, scope)
    owner.mon(item, 'a', second, scope)
    owner.mon(item, 'a', second)
    owner.mun(item, 'a', first, {})
    owner.mun(item, 'b', first, scope)
    owner.mun(owner, 'a', first, scope)
    item.fireEvent('a')
    expect(calls.splice(0)).toEqual([['first'], ['second'], ['second']])
    owner.mun(item, 'a', second, scope)
    item.fireEvent('a')
    expect(calls.splice(0)).toEqual([['first'], ['second']])
    owner.mun(item, 'a')
    item.fireEvent('a')
    expect(calls).toEqual([])
  })

  it('leaves handlers alone that others added', () => {
    const handler = named('a')
    item.on('a', handler)
    owner.mun(item, 'a', handler)
    item.fireEvent('a')
    expect(calls).toEqual([['a']])
  })

  it('takes the object form', () => {
    const handlers = { one: named('one'), two: named('two') }
    owner.mon(item, handlers)
    owner.mun(item, handlers)
    item.fireEvent('one')
    item.fireEvent('two')
    expect(calls).toEqual([])
  })
})

describe('relayEvents', () => {
  it('fires the events of another as its own, with their arguments and nothing more', () => {
    owner.on('one', named('one'))
    owner.on('item-two', named('two'))
    owner.relayEvents(item, 'one')
    owner.relayEvents(item, ['Two'], 'item-')
    item.fireEvent('one', 1, 2)
    item.fireEvent('two', 3)
    expect(calls).toEqual([
      ['one', 1, 2],
      ['two', 3],
    ])
  })

  it('has a handler that returns false stop those of the origin', () => {
    owner.relayEvents(item, ['a'])
    item.on('a', named('origin'))
    owner.on('a', () => false)
    expect(item.fireEvent('a')).toBe(false)
    expect(calls).toEqual([])
  })

  it('ends by its destroy, or with the handlers of the one who relays', () => {
    owner.on('a', named('a'))
    const relay = owner.relayEvents(item, ['a'])
    relay.destroy()
    relay.destroy()
    item.fireEvent('a')
    owner.relayEvents(item, ['a'])
    owner.clearManagedListeners()
    item.fireEvent('a')
    expect(calls).toEqual([])
  })
})
