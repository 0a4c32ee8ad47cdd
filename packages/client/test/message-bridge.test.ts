// BaseMessageBridge and ClientMessageBridge: the documented contract. PARITY 2.3.
import { beforeEach, describe, expect, it } from 'vitest'
import {
  BaseMessageBridge,
  ClientMessageBridge,
  createMessageBridge,
  type HistoryStorage,
  type MessageBridgeSchema,
  MessageDirectionType,
  MessageMode,
  type PublishConfig,
  type Sandbox,
  Sandboxes,
  type SchemaBridge,
} from '../src/terrasoft-bridge.ts'
import { settle } from './fake-clock.ts'
import { MemoryStorage } from './memory-storage.ts'
import { TerrasoftScene } from './terrasoft-scene.ts'

const { BROADCAST, PTP } = MessageMode
const { PUBLISH, SUBSCRIBE } = MessageDirectionType
const OTHERS = 'SocketMessageReceived'
const KEY = 'OrderSocketMsgHistory'

let scene: TerrasoftScene
let storage: MemoryStorage
let tab: Tab

/** One tab of the browser: its sandboxes, and a bridge that saves `Order`. */
class Tab {
  readonly sandboxes: Sandboxes
  readonly bridge: ClientMessageBridge
  readonly page: Sandbox
  readonly heard: unknown[] = []

  constructor(mode: 'broadcast' | 'ptp' = BROADCAST, Bridge = ClientMessageBridge, store: HistoryStorage = storage) {
    const { environment } = scene.world
    this.sandboxes = new Sandboxes(environment.reportError)
    const sandbox = this.sandboxes.create('bridge')
    sandbox.registerMessages({ Order: { mode, direction: PUBLISH }, Plain: { mode, direction: PUBLISH } })
    this.bridge = new Bridge({ sandbox, serverChannel: scene.channel, environment, storage: store })
    this.bridge.init()
    this.bridge.addMessageConfig({ sender: 'Order', messageName: 'Order', isSaveHistory: true })
    this.bridge.addMessageConfig({ sender: 'Plain', messageName: 'Plain' })
    this.page = this.sandboxes.create('page')
    this.page.registerMessages({
      Order: { mode, direction: SUBSCRIBE },
      Plain: { mode, direction: SUBSCRIBE },
      [OTHERS]: { mode: BROADCAST, direction: SUBSCRIBE },
    })
  }

  /** The page subscribes, and keeps what it hears. */
  listen(name = 'Order', result?: unknown): void {
    this.page.subscribe(name, (body: unknown) => {
      this.heard.push(body)
      return result
    })
  }
}

beforeEach(async () => {
  scene = await new TerrasoftScene().open()
  storage = new MemoryStorage()
  tab = new Tab()
})

const order = (id: number): object => ({ id, Header: { Sender: 'Order' } })

/** The ids of the orders that were saved. */
const savedIds = (): unknown[] => storage.saved(KEY).map(({ msg }) => (msg as { id: number }).id)

describe('a message', () => {
  it('is published under each name that a config gives its sender', () => {
    tab.bridge.addMessageConfig({ sender: 'Order', messageName: 'Plain' })
    tab.listen('Order')
    tab.listen('Plain')
    scene.receive('Order', '{"id":1}')
    scene.receive('order', '{"id":2}')
    expect(tab.heard).toEqual([order(1), order(1)])
  })

  it('that no config names is published as SocketMessageReceived', () => {
    tab.listen(OTHERS)
    scene.receive('Other', '{"id":1}')
    scene.receive('Plain', '{"id":2}')
    expect(tab.heard).toEqual([{ id: 1, Header: { Sender: 'Other' } }])
  })

  it.each([
    ['null', null],
    ['5', 5],
    ['no JSON', 'no JSON'],
    ['', ''],
  ])('with the body %j keeps its header, and no handler from running', (body, value) => {
    const messages: unknown[] = []
    scene.channel.on('message', (_channel, { Body }) => messages.push(Body))
    tab.listen(OTHERS)
    tab.listen('Plain')
    scene.receive('Other', body)
    scene.receive('Plain', body)
    expect(tab.heard).toEqual([{ Header: { Sender: 'Other' }, Body: value }, value])
    expect(messages).toEqual([body, body])
    expect(scene.world.reported).toEqual([])
  })

  it('that is a list has its header too, and the body of other handlers is as it was posted', () => {
    const bodies: unknown[] = []
    tab.listen('Plain')
    scene.channel.on('message', (_channel, { Body }) => bodies.push(Body))
    scene.receive('Plain', [1, 2])
    scene.receive('Plain', { id: 1 })
    const [list] = tab.heard as [unknown[] & { Header: unknown }]
    expect([...list]).toEqual([1, 2])
    expect(list.Header).toEqual({ Sender: 'Plain' })
    expect(bodies).toEqual([[1, 2], { id: 1 }])
    expect(Object.hasOwn(bodies[0] as object, 'Header')).toBe(false)
  })

  it('is published once however often init() is called, and not after destroy()', () => {
    tab.listen('Plain')
    tab.bridge.init()
    tab.bridge.init()
    tab.bridge.concatMessageConfigs([{ sender: 'Plain', messageName: 'Plain' }])
    scene.receive('Plain', 1)
    tab.bridge.destroy()
    scene.receive('Plain', 2)
    expect(tab.heard).toEqual([1])
  })

  it('of one config that fails keeps no other config from it', () => {
    tab.bridge.WebSocketMessageConfigs.unshift({ sender: 'Plain', messageName: 'Undeclared' })
    tab.listen('Plain')
    scene.receive('Plain', 1)
    expect(tab.heard).toEqual([1])
    expect(scene.world.reported).toMatchObject([{ name: 'UnsupportedTypeException' }])
  })

  it.each([
    ['sender', { sender: '', messageName: 'Order' }],
    ['messageName', { sender: 'Order' }],
  ])('has no config without a %s', (_what, config) => {
    expect(() => tab.bridge.addMessageConfig(config as never)).toThrow(
      expect.objectContaining({ name: 'NullOrEmptyException' }),
    )
  })
})

describe('what nobody listens to', () => {
  it('is saved, and published in order to who subscribes; then it is gone', async () => {
    for (const id of [1, 2, 3]) scene.receive('Order', `{"id":${id}}`)
    expect(savedIds()).toEqual([1, 2, 3])
    expect(storage.saved(KEY)[0]).toMatchObject({ name: 'Order', msg: order(1) })
    tab.listen()
    expect(tab.heard).toEqual([])
    await settle()
    expect(tab.heard).toEqual([1, 2, 3].map(order))
    expect(storage.getItem(KEY)).toBeNull()
    scene.receive('Order', '{"id":4}')
    expect(tab.heard).toHaveLength(4)
    expect(storage.getItem(KEY)).toBeNull()
  })

  it('is published before what comes next', () => {
    scene.receive('Order', '{"id":1}')
    tab.listen()
    scene.receive('Order', '{"id":2}')
    expect(tab.heard).toEqual([order(1), order(2)])
  })

  it('is published by the next page too, whichever is there first, the bridge or the subscriber', async () => {
    scene.receive('Order', '{"id":1}')
    tab.bridge.destroy()
    const next = new Tab()
    next.listen()
    await settle()
    expect(next.heard).toEqual([order(1)])
    next.bridge.saveMessageToHistory('Order', { id: 2 })
    next.bridge.init()
    next.bridge.addMessageConfig({ sender: 'Order', messageName: 'Order', isSaveHistory: true })
    await settle()
    expect(next.heard).toEqual([order(1), { id: 2 }])
  })

  it('is not saved without isSaveHistory', async () => {
    scene.receive('Plain', 1)
    tab.listen('Plain')
    await settle()
    expect(tab.heard).toEqual([])
    expect(storage.length).toBe(0)
  })

  it.each([['null'], ['5'], ['text'], ['[1,2]']])('with the body %s is published as if it came now', async (body) => {
    const headers: unknown[] = []
    tab.bridge.afterPublishMessage = (_name, _body, _result, { Header }) => headers.push(Header)
    scene.receive('Order', body)
    tab.listen()
    await settle()
    scene.receive('Order', body)
    expect(tab.heard).toHaveLength(2)
    expect(tab.heard[0]).toEqual(tab.heard[1])
    expect(Reflect.get(Object(tab.heard[0]), 'Header')).toEqual(Reflect.get(Object(tab.heard[1]), 'Header'))
    expect(headers).toEqual([{ Sender: 'Order' }, { Sender: 'Order' }])
  })

  it('stays saved from there on where the subscriber goes in the middle', async () => {
    for (const id of [1, 2, 3]) scene.receive('Order', `{"id":${id}}`)
    tab.page.subscribe('Order', (body: unknown) => {
      tab.heard.push(body)
      tab.page.removeModuleListeners()
    })
    await settle()
    expect(tab.heard).toEqual([order(1)])
    expect(savedIds()).toEqual([2, 3])
    tab.listen()
    await settle()
    expect(tab.heard).toEqual([1, 2, 3].map(order))
  })

  it('keeps its order where more comes while it is published', async () => {
    for (const id of [1, 2]) scene.receive('Order', `{"id":${id}}`)
    tab.page.subscribe('Order', (body: unknown) => {
      if (tab.heard.push(body) === 1) scene.receive('Order', '{"id":3}')
    })
    await settle()
    expect(tab.heard).toEqual([1, 2, 3].map(order))
    expect(storage.getItem(KEY)).toBeNull()
  })

  it('is published to the end where a subscriber throws', async () => {
    tab = new Tab(PTP)
    for (const id of [1, 2]) scene.receive('Order', `{"id":${id}}`)
    tab.page.subscribe('Order', (body: unknown) => {
      tab.heard.push(body)
      throw new Error('handler')
    })
    await settle()
    expect(tab.heard).toEqual([order(1), order(2)])
    expect(scene.world.reported).toHaveLength(2)
  })
})

describe('two tabs of one browser', () => {
  it('save a message once', () => {
    const other = new Tab()
    scene.receive('Order', '{"id":1}')
    scene.receive('Order', '{"id":2}')
    expect(savedIds()).toEqual([1, 2])
    expect(other.heard).toEqual([])
  })

  it('have a message handled once by the one that listened when it came', async () => {
    const other = new Tab()
    tab.listen()
    scene.receive('Order', '{"id":1}')
    expect(savedIds()).toEqual([1])
    scene.receive('Order', '{"id":2}')
    tab.listen()
    await settle()
    expect(tab.heard.map((body) => (body as { id: number }).id)).toEqual([1, 2])
    expect(other.heard).toEqual([])
  })

  it('have it handled once also where the other one is told first', async () => {
    const other = new Tab()
    other.listen()
    await settle()
    for (const id of [1, 2, 3]) scene.receive('Order', `{"id":${id}}`)
    other.listen()
    await settle()
    expect(other.heard.map((body) => (body as { id: number }).id)).toEqual([1, 2, 3])
  })
})

describe('the storage', () => {
  it('keeps the newest of a name, 1,000 at most, and reports once that others are gone', () => {
    for (let id = 1; id <= 1_003; id++) scene.receive('Order', `{"id":${id}}`)
    const ids = savedIds()
    // A hundred more than need be are gone.
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([903, 101, 1_003])
    expect(scene.world.reported).toMatchObject([{ code: 'buffer_overflow' }])
  })

  it('is read anew where another page wrote to it', () => {
    scene.receive('Order', '{"id":1}')
    storage.setItem(KEY, JSON.stringify([{ name: 'Order', msg: { id: 7 } }]))
    scene.receive('Order', '{"id":2}')
    expect(savedIds()).toEqual([7, 2])
  })

  it('keeps no more than a million characters of a name, but the newest message', () => {
    const big = 'x'.repeat(400_000)
    for (let id = 1; id <= 4; id++) scene.receive('Order', { id, big })
    expect(storage.getItem(KEY)?.length).toBeLessThanOrEqual(1_048_576)
    expect(savedIds().at(-1)).toBe(4)
    scene.receive('Order', { id: 5, big: 'x'.repeat(2_000_000) })
    expect(savedIds()).toEqual([5])
  })

  it('that is full, or none, is replaced by the page’s memory', async () => {
    storage.failure = new Error('QuotaExceededError')
    scene.receive('Order', '{"id":1}')
    scene.receive('Order', '{"id":2}')
    expect(scene.world.reported).toEqual([storage.failure])
    tab.listen()
    await settle()
    expect(tab.heard).toEqual([order(1), order(2)])
  })

  it('has what was written before it was full published first', async () => {
    scene.receive('Order', '{"id":1}')
    storage.failure = new Error('QuotaExceededError')
    scene.receive('Order', '{"id":2}')
    tab.listen()
    await settle()
    expect(tab.heard).toEqual([order(1), order(2)])
    expect(storage.getItem(KEY)).toBeNull()
  })

  it.each(['{', '5', 'null', '[5,{"no":1},null]'])('that has %s in it counts as empty', async (text) => {
    storage.setItem(KEY, text)
    tab.listen()
    await settle()
    scene.receive('Order', '{"id":1}')
    expect(tab.heard).toEqual([order(1)])
  })
})

describe('the hooks', () => {
  it('are called around each message, also a saved one, with what the subscriber of a point-to-point message returned', async () => {
    tab = new Tab(PTP)
    const calls: unknown[] = []
    tab.bridge.beforePublishMessage = (name, body, config) => calls.push(['before', name, body, config.sender])
    tab.bridge.afterPublishMessage = (name, body, result, { Header }) =>
      calls.push(['after', name, body, result, Header.Sender])
    scene.receive('Order', '{"id":1}')
    expect(calls).toEqual([])
    tab.listen('Order', 'answer')
    await settle()
    scene.receive('Order', '{"id":2}')
    const around = (id: number): unknown[] => [
      ['before', 'Order', order(id), 'Order'],
      ['after', 'Order', order(id), 'answer', 'Order'],
    ]
    expect(calls).toEqual([...around(1), ...around(2)])
  })

  it('may decide who listens, publish otherwise, and keep messages elsewhere', async () => {
    const kept: unknown[] = []
    const published: unknown[] = []
    let doesListen = false
    class OwnBridge extends ClientMessageBridge {
      override getSandboxMessageListenerExists(): boolean {
        return doesListen
      }
      override publishMessageResult(name: string, body: unknown): unknown {
        return published.push([name, body])
      }
      override saveMessageToHistory(name: string, body: unknown): void {
        kept.push({ name, msg: body })
      }
      override getMessagesFromHistory(): never {
        return kept as never
      }
      // What is kept is never let go: each message is published again with each that comes, but the page does not hang.
      override deleteSavedMessages(): void {}
    }
    tab = new Tab(BROADCAST, OwnBridge)
    await settle()
    scene.receive('Order', '{"id":1}')
    expect(kept).toEqual([{ name: 'Order', msg: order(1) }])
    doesListen = true
    scene.receive('Order', '{"id":2}')
    await settle()
    expect(published).toEqual([
      ['Order', order(1)],
      ['Order', order(2)],
    ])
  })

  it('for saved messages have to be defined by who saves', () => {
    const base = new BaseMessageBridge({
      sandbox: tab.sandboxes.create('base'),
      serverChannel: scene.channel,
      environment: scene.world.environment,
    })
    for (const hook of ['saveMessageToHistory', 'getMessagesFromHistory', 'deleteSavedMessages'] as const) {
      expect(() => base[hook]('Order', {})).toThrow(expect.objectContaining({ name: 'NotImplementedException' }))
    }
  })
})

describe('a schema', () => {
  const declared = { mode: BROADCAST, direction: PUBLISH } as const

  function create<Own extends object>(
    schemas: MessageBridgeSchema<Own> | readonly MessageBridgeSchema<Own>[],
  ): SchemaBridge {
    return createMessageBridge(schemas, {
      sandbox: tab.sandboxes.create('schema'),
      serverChannel: scene.channel,
      environment: scene.world.environment,
      storage,
    })
  }

  it('as packages of Creatio have it makes a bridge', () => {
    const calls: unknown[] = []
    create({
      messages: { NewUserSet: declared },
      methods: {
        init() {
          // oxlint-disable-next-line prefer-rest-params -- to the letter
          this.callParent(arguments)
          this.addMessageConfig({ sender: 'NewUserSet', messageName: 'NewUserSet' })
        },
        afterPublishMessage(
          sandboxMessageName: string,
          webSocketBody: unknown,
          result: unknown,
          publishConfig: PublishConfig,
        ) {
          calls.push([sandboxMessageName, webSocketBody, result, publishConfig])
        },
      },
    })
    tab.page.registerMessages({ NewUserSet: { mode: BROADCAST, direction: SUBSCRIBE } })
    tab.listen('NewUserSet')
    scene.receive('NewUserSet', '{"birthday":"1990"}')
    const body = { birthday: '1990', Header: { Sender: 'NewUserSet' } }
    expect(tab.heard).toEqual([body])
    const config = { sender: 'NewUserSet', messageName: 'NewUserSet', Header: { Sender: 'NewUserSet' } }
    expect(calls).toEqual([['NewUserSet', body, null, config]])
  })

  it('may extend another, method by method', () => {
    const calls: string[] = []
    const bridge = create([
      {
        methods: {
          init() {
            calls.push('first')
            this.callParent()
            calls.push('first after')
          },
        },
      },
      {
        methods: {
          init() {
            calls.push('second')
            this.callParent()
            this.addMessageConfig({ sender: 'Order', messageName: 'Order' })
          },
        },
      },
    ])
    expect(calls).toEqual(['second', 'first', 'first after'])
    expect(bridge.WebSocketMessageConfigs).toEqual([{ sender: 'Order', messageName: 'Order' }])
  })

  it('has methods of its own, and gives a parent’s result and arguments, and nothing where there is no parent', () => {
    const got: unknown[] = []
    create({
      methods: {
        init() {
          this.callParent()
          got.push(this.callParent.call(this, []), this.getSandboxMessageListenerExists('Order'), this.alone())
        },
        getSandboxMessageListenerExists(name: string) {
          return [name, this.callParent([name])]
        },
        alone() {
          return this.callParent()
        },
      },
    })
    expect(got).toEqual([undefined, ['Order', false], undefined])
  })

  it('says so where callParent is called elsewhere', () => {
    expect(() => create({}).callParent()).toThrow(/before their first await/)
  })
})
