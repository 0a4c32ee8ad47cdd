// oxlint-disable typescript/no-unsafe-assignment -- bodies of any shape are what is tested.
// Creatio's SDK for messages, and the life of Freedom UI pages. PARITY 2.5.
import { beforeEach, describe, expect, it } from 'vitest'
import {
  createPageHandlers,
  createSdk,
  type MessageChannelEvent,
  type PageHandler,
  PageSubscription,
  type Sdk,
  type Subscription,
} from '../src/terrasoft-sdk.ts'
import { settle } from './fake-clock.ts'
import { TerrasoftScene } from './terrasoft-scene.ts'

let scene: TerrasoftScene
let sdk: Sdk

beforeEach(async () => {
  scene = await new TerrasoftScene().open()
  sdk = createSdk(scene.channel)
})

describe('subscribe', () => {
  it.each([
    ['{"id":42}', { id: 42 }, false],
    ['[1,2]', [1, 2], false],
    ['"text"', 'text', false],
    ['5', 5, false],
    ['null', null, false],
    ['My message value', 'My message value', true],
    ['{"open":', '{"open":', true],
    ['', '', true],
    [{ id: 42 }, { id: 42 }, false],
    [[1, 2], [1, 2], false],
    [7, 7, false],
  ])('gives the body %j as %j, and says whether it is a text: %s', async (posted, body, isText) => {
    const events: MessageChannelEvent[] = []
    await new sdk.MessageChannelService().subscribe('Order', (event) => events.push(event))
    const position = scene.receive('Order', posted)
    expect(events).toEqual([{ header: { sender: 'Order', bodyTypeName: '' }, body, id: `id-${position}`, isText }])
  })

  it('hears this very sender, and none that is like it', async () => {
    const bodies: unknown[] = []
    await new sdk.MessageChannelService().subscribe('Order', ({ body }) => bodies.push(body))
    for (const sender of ['order', 'Order ', 'Orders', 'Order', '*']) scene.receive(sender, sender)
    expect(bodies).toEqual(['Order'])
  })

  it('misses nothing that comes before it resolves', async () => {
    const bodies: unknown[] = []
    const subscribing = new sdk.MessageChannelService().subscribe('Order', ({ body }) => bodies.push(body))
    scene.receive('Order', 1)
    await subscribing
    expect(bodies).toEqual([1])
  })

  it('resolves to what ends it, once for all', async () => {
    const bodies: unknown[] = []
    const service = new sdk.MessageChannelService()
    const first = await service.subscribe('Order', ({ body }) => bodies.push(body))
    const second = await service.subscribe('Order', ({ body }) => bodies.push(body))
    expect(first.closed).toBe(false)
    first.unsubscribe()
    first.unsubscribe()
    expect([first.closed, second.closed]).toEqual([true, false])
    scene.receive('Order', 1)
    expect(bodies).toEqual([1])
  })

  it('hears each message once over drops', async () => {
    const bodies: unknown[] = []
    await new sdk.MessageChannelService().subscribe('Order', ({ body }) => bodies.push(body))
    for (let drop = 1; drop <= 5; drop++) {
      scene.receive('Order', drop)
      await scene.reopen()
    }
    expect(bodies).toEqual([1, 2, 3, 4, 5])
  })

  it('has a callback that throws reported, and one that returns false stop nobody', async () => {
    const bodies: unknown[] = []
    const service = new sdk.MessageChannelService()
    const error = new Error('callback')
    await service.subscribe('Order', () => {
      throw error
    })
    await service.subscribe('Order', () => false)
    await service.subscribe('Order', ({ body }) => bodies.push(body))
    scene.receive('Order', 1)
    expect(bodies).toEqual([1])
    expect(scene.world.reported).toEqual([error])
  })

  it.each([
    ['no sender', '', () => {}, 'NullOrEmptyException'],
    ['no callback', 'Order', undefined, 'NullOrEmptyException'],
    ['a sender with an event of its own', 'PTPMsg', () => {}, 'TypeError'],
    ['another', 'BroadcastMsg', () => {}, 'TypeError'],
  ])('with %s rejects', async (_what, sender, callback, name) => {
    await expect(new sdk.MessageChannelService().subscribe(sender, callback as () => void)).rejects.toThrow(
      expect.objectContaining({ name }),
    )
  })
})

describe('sendMessage', () => {
  it.each([
    ['PTP', 'PTPMsg', { id: 7 }],
    ['BROADCAST', 'BroadcastMsg', 'text'],
    ['SERVER', 'ServerMsg', [1, null]],
  ] as const)('to %s says so in the header, with the body as JSON text', async (type, channelType, body) => {
    const sending = new sdk.MessageChannelService().sendMessage('Draft', body, sdk.MessageChannelType[type])
    await settle()
    expect(scene.calls).toMatchObject([{ target: 'SendRawMessage' }])
    expect(JSON.parse(scene.calls[0]?.arguments[0] as string)).toEqual({
      Id: expect.stringMatching(/^[\da-f-]{36}$/),
      Header: { Sender: 'Draft', BodyTypeName: 'System.String', ChannelType: channelType },
      Body: JSON.stringify(body),
    })
    await scene.answer({})
    await sending
  })

  it('rejects where the server takes it not', async () => {
    const sending = new sdk.MessageChannelService().sendMessage('Draft', 1, 'BroadcastMsg')
    await settle()
    await Promise.all([
      expect(sending).rejects.toMatchObject({ code: 'call_failed' }),
      scene.answer({ error: 'HubException: message_refused: No.' }),
    ])
  })

  it.each([
    ['no sender', '', 1],
    ['no body', 'Draft', undefined],
    ['a function', 'Draft', () => {}],
  ])('with %s rejects, and sends nothing', async (_what, sender, body) => {
    await expect(new sdk.MessageChannelService().sendMessage(sender, body, 'PTPMsg')).rejects.toThrow()
    expect(scene.calls).toEqual([])
  })
})

/** Subscriptions that come when the test says so. */
class SlowService {
  /** How many there are now, and the most that there were. */
  active = 0
  activeMax = 0
  made = 0
  #waiting: Array<() => void> = []

  readonly subscribe = async (): Promise<Subscription> => {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
    })
    this.made++
    this.active++
    this.activeMax = Math.max(this.active, this.activeMax)
    let closed = false
    return {
      get closed() {
        return closed
      },
      unsubscribe: () => {
        if (!closed) this.active--
        closed = true
      },
    }
  }

  async answerAll(): Promise<void> {
    do {
      for (const resolve of this.#waiting.splice(0)) resolve()
      await settle()
    } while (this.#waiting.length > 0)
  }
}

describe('a page subscription', () => {
  it('is one, however often and at the same time it is started', async () => {
    const service = new SlowService()
    const page = new PageSubscription(service.subscribe)
    const started = Promise.all([page.start(), page.start(), page.start()])
    await settle()
    await service.answerAll()
    await started
    await page.start()
    expect([service.made, service.active, page.isActive]).toEqual([1, 1, true])
  })

  it('that is stopped before it is there ends when it is', async () => {
    const service = new SlowService()
    const page = new PageSubscription(service.subscribe)
    const done = Promise.all([page.start(), page.stop()])
    await settle()
    await service.answerAll()
    await done
    expect([service.active, page.isActive]).toEqual([0, false])
    const again = Promise.all([page.start(), page.stop(), page.start()])
    await settle()
    await service.answerAll()
    await again
    expect([service.active, service.activeMax, page.isActive]).toEqual([1, 1, true])
  })

  it('is as it was asked for last, after any sequence of starts and stops', async () => {
    for (let bits = 0; bits < 256; bits++) {
      const service = new SlowService()
      const page = new PageSubscription(service.subscribe)
      let isWanted = false
      for (let step = 0; step < 8; step++) {
        isWanted = ((bits >> step) & 1) === 1
        void (isWanted ? page.start() : page.stop())
        // Some of them while nothing is under way, some while it is.
        if (step % 3 === 0) await service.answerAll()
        else if (step % 3 === 1) await Promise.resolve()
      }
      await settle()
      await service.answerAll()
      expect([bits, service.active, service.activeMax <= 1]).toEqual([bits, isWanted ? 1 : 0, true])
    }
  })

  it('can be started again where subscribing failed', async () => {
    const service = new SlowService()
    let hasFailed = false
    const page = new PageSubscription(() => {
      if (hasFailed) return service.subscribe()
      hasFailed = true
      return Promise.reject(new Error('offline'))
    })
    await expect(page.start()).rejects.toThrow('offline')
    const started = page.start()
    await settle()
    await service.answerAll()
    await started
    expect(service.active).toBe(1)
  })
})

describe("a Freedom UI page's handlers", () => {
  const heard: unknown[][] = []
  let handlers: readonly PageHandler[]

  beforeEach(() => {
    heard.length = 0
    handlers = createPageHandlers<{ name: string }>(
      new sdk.MessageChannelService(),
      {
        Order: ({ body }: MessageChannelEvent, context) => heard.push([context.name, 'Order', body]),
        Invoice: async ({ body }: MessageChannelEvent, context) => {
          heard.push([context.name, 'Invoice', body])
          await Promise.reject(new Error('refresh failed'))
        },
      },
      scene.world.environment,
    )
  })

  /** The chain as Creatio runs it: ours, then the page's own. */
  function request(step: 'Init' | 'Resume' | 'Pause' | 'Destroy', $context: object): Promise<unknown> {
    const { handler } = handlers.find((each) => each.request === `crt.HandleViewModel${step}Request`) as PageHandler
    return handler({ $context }, { handle: (given) => Promise.resolve(['handled', given.$context]) })
  }

  it('hear from init to destroy, but for the time that the page is paused', async () => {
    const page = { name: 'page' }
    scene.receive('Order', 0)
    expect(await request('Init', page)).toEqual(['handled', page])
    scene.receive('Order', 1)
    await request('Pause', page)
    scene.receive('Order', 2)
    await request('Resume', page)
    scene.receive('Order', 3)
    await request('Destroy', page)
    scene.receive('Order', 4)
    expect(heard).toEqual([
      ['page', 'Order', 1],
      ['page', 'Order', 3],
    ])
    expect(scene.channel.hasListener('message')).toBe(false)
  })

  it('hear once after resumes that come twice, and at the same time', async () => {
    const page = { name: 'page' }
    await Promise.all([request('Init', page), request('Resume', page), request('Resume', page)])
    await request('Resume', page)
    scene.receive('Order', 1)
    expect(heard).toEqual([['page', 'Order', 1]])
    await Promise.all([request('Pause', page), request('Resume', page), request('Destroy', page)])
    scene.receive('Order', 2)
    expect(heard).toHaveLength(1)
  })

  it('hear for each page that is open on its own', async () => {
    const [one, two] = [{ name: 'one' }, { name: 'two' }]
    await request('Init', one)
    await request('Init', two)
    await request('Pause', one)
    scene.receive('Order', 1)
    expect(heard).toEqual([['two', 'Order', 1]])
  })

  it('have what a callback rejects with reported', async () => {
    await request('Init', { name: 'page' })
    scene.receive('Invoice', 1)
    await settle()
    expect(heard).toEqual([['page', 'Invoice', 1]])
    expect(scene.world.reported).toMatchObject([{ message: 'refresh failed' }])
  })

  it('let the page open where subscribing fails, and are the last of a chain too', async () => {
    const failing = { subscribe: () => Promise.reject(new Error('no channel')) }
    handlers = createPageHandlers(failing, { Order: () => {} }, scene.world.environment)
    const page = {}
    expect(await request('Init', page)).toEqual(['handled', page])
    expect(scene.world.reported).toMatchObject([{ message: 'no channel' }])
    expect(await handlers[3]?.handler({ $context: page })).toBeUndefined()
  })
})
