import { describe, expect, it } from 'vitest'
import { type Post, toDraft } from '../src/channel/intake.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { CHANNEL_LIMITS, openScene } from './channel-scene.ts'
import { FakeClock } from './fake-clock.ts'

const HISTORY = { historyCountMax: 1000, historyBytesMax: 1_000_000, historyAgeMaxMs: 60_000 }

async function errorCode(post: unknown, limits = {}): Promise<string> {
  const { channel } = await openScene(limits)
  const error: unknown = await channel.post([post as Post]).then(
    () => new Error('It was taken'),
    (reason: unknown) => reason,
  )
  return (error as { code?: string }).code ?? String(error)
}

describe('a receipt', () => {
  it('names the message, its position, how safe it is, and the connections it was for', async () => {
    const { channel, connect, clock } = await openScene()
    const { outlet } = connect('a')
    connect('b')
    const [receipt] = await channel.post([{ sender: 'S', body: 1 }])
    expect(receipt).toEqual({ id: 'id-1', position: 'epoch-1:1', durability: 'logged', connections: 2 })
    await clock.settle()
    expect(outlet.messages).toEqual([{ Id: 'id-1', Header: { Sender: 'S' }, Body: 1, Position: 'epoch-1:1' }])
    expect(channel.position).toBe('epoch-1:1')
  })

  it('comes for each of several posts, in their order', async () => {
    const { channel } = await openScene()
    const receipts = await channel.post([1, 2, 3].map((body) => ({ sender: 'S', body })))
    expect(receipts.map(({ position }) => position)).toEqual(['epoch-1:1', 'epoch-1:2', 'epoch-1:3'])
  })

  it('of a second post with the same id is that of the first', async () => {
    const clock = new FakeClock()
    const store = new MemoryStore({ ...HISTORY, epoch: 'e', now: () => clock.now() })
    const { channel, connect } = await openScene({}, store, clock)
    const { outlet } = connect('a')
    const [first] = await channel.post([{ sender: 'S', body: 1, id: 'x' }])
    const [second] = await channel.post([{ sender: 'S', body: 2, id: 'x' }])
    expect(first).toEqual({ id: 'x', position: 'e:1', durability: 'memory', connections: 1 })
    expect(second).toEqual(first)
    await clock.settle()
    expect(outlet.bodies).toEqual([1])
  })

  it('comes also where nobody is there', async () => {
    const { post } = await openScene()
    expect(await post('x', { users: 'nobody' })).toMatchObject({ connections: 0 })
  })
})

describe('a posted body', () => {
  it.each<[string, unknown, unknown]>([
    ['an empty string', '', ''],
    ['a string that looks like JSON', '{"a":1}', '{"a":1}'],
    ['the string null', 'null', 'null'],
    ['null', null, null],
    ['nothing', undefined, null],
    ['a number', 5, 5],
    ['false', false, false],
    ['a list', [1, 2], [1, 2]],
    ['what toJSON makes of it', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an emoji', '😀', '😀'],
    ['a lone surrogate', '\ud83d', '\ud83d'],
    ['a record separator', '\x1e', '\x1e'],
  ])('arrives as it was posted: %s', async (_, body, arrived) => {
    const { connect, post, clock } = await openScene()
    const { outlet } = connect('a')
    await post(body)
    await clock.settle()
    expect(outlet.bodies).toEqual([arrived])
  })

  it('is that of the moment of posting, whatever becomes of the object', async () => {
    const { connect, post, clock } = await openScene()
    const { outlet } = connect('a')
    const body = { state: 'new' }
    const posting = post(body)
    body.state = 'changed'
    await posting
    await clock.settle()
    expect(outlet.bodies).toEqual([{ state: 'new' }])
  })

  it('may have a property named __proto__', async () => {
    const { connect, post, clock } = await openScene()
    const { outlet } = connect('a')
    await post(JSON.parse('{"__proto__":{"x":1}}'))
    await clock.settle()
    expect(JSON.stringify(outlet.bodies[0])).toBe('{"__proto__":{"x":1}}')
  })
})

describe('a post is refused', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle

  function nested(depth: number): unknown {
    let value: unknown = 1
    for (let i = 0; i < depth; i++) value = [value]
    return value
  }

  it.each<[string, string, unknown]>([
    ['has no sender', 'sender_invalid', { body: 1 }],
    ['has an empty sender', 'sender_invalid', { sender: '' }],
    ['has a sender that is no string', 'sender_invalid', { sender: 7 }],
    ['has a sender of 257 characters', 'sender_invalid', { sender: 'x'.repeat(257) }],
    ['has an empty id', 'id_invalid', { sender: 'S', id: '' }],
    ['has an id of 257 characters', 'id_invalid', { sender: 'S', id: 'x'.repeat(257) }],
    ['has a body type that is no string', 'message_invalid', { sender: 'S', bodyTypeName: 7 }],
    ['has a ttl of nothing', 'ttl_invalid', { sender: 'S', ttlMs: 0 }],
    ['has a ttl that is no number', 'ttl_invalid', { sender: 'S', ttlMs: '5' }],
    ['has a ttl that is NaN', 'ttl_invalid', { sender: 'S', ttlMs: Number.NaN }],
    ['has a ttl of centuries', 'ttl_invalid', { sender: 'S', ttlMs: 1e15 }],
    ['has a function for a body', 'body_not_json', { sender: 'S', body: () => 1 }],
    ['has a symbol for a body', 'body_not_json', { sender: 'S', body: Symbol('x') }],
    ['has a BigInt in its body', 'body_not_json', { sender: 'S', body: [1n] }],
    ['has a body that contains itself', 'body_not_json', { sender: 'S', body: cycle }],
    [
      'has a body whose toJSON throws',
      'body_not_json',
      {
        sender: 'S',
        body: {
          toJSON: () => {
            throw new Error('no')
          },
        },
      },
    ],
    [
      'has a body whose toJSON throws a RangeError',
      'body_not_json',
      { sender: 'S', body: { toJSON: () => new Date(Number.NaN).toISOString() } },
    ],
    ['has a body that nests 65 levels deep', 'body_too_deep', { sender: 'S', body: nested(65) }],
    ['has a body that nests deeper than JSON.stringify goes', 'body_too_deep', { sender: 'S', body: nested(100_000) }],
  ])('where it %s', async (_, code, post) => {
    expect(await errorCode(post)).toBe(code)
  })

  it('where its body passes the limit, which is exact in bytes', async () => {
    const limits = { postedBodyBytesMax: 32 }
    expect(await errorCode({ sender: 'S', body: '日'.repeat(10) }, limits)).toBe('Error: It was taken')
    expect(await errorCode({ sender: 'S', body: `${'日'.repeat(10)}a` }, limits)).toBe('body_too_large')
  })

  it('with all others of the same call', async () => {
    const { channel } = await openScene()
    const posts = [{ sender: 'S', body: 1 }, { sender: '' }]
    await expect(channel.post(posts)).rejects.toMatchObject({ code: 'sender_invalid' })
    expect(channel.position).toBe('epoch-1:0')
  })

  it('where the store fails, with the reason as its cause, and the next one is taken', async () => {
    const { channel, store, post } = await openScene()
    store.appendError = new Error('disk full')
    await expect(post(1)).rejects.toMatchObject({ code: 'store_failed', retry: true, cause: { message: 'disk full' } })
    expect(await post(2)).toMatchObject({ position: 'epoch-1:1' })
    expect(channel.isOpen).toBe(true)
  })

  it('where the channel is closed', async () => {
    const { channel, store, post } = await openScene()
    await channel.close()
    await channel.close()
    await expect(post(1)).rejects.toMatchObject({ code: 'channel_closed' })
    expect(store.isClosed).toBe(true)
  })
})

describe('what a message takes in memory', () => {
  it.each([
    ['its id', { id: 'x'.repeat(200) }, undefined],
    ['its sender', { sender: 'x'.repeat(201) }, undefined],
    ['its body', { body: 'x'.repeat(202) }, undefined],
    ['its body type', { bodyTypeName: 'x'.repeat(200) }, undefined],
    ['its channel type', { channelType: 'x'.repeat(200) }, undefined],
    ['the user who sent it', {}, { User: 'x'.repeat(200), ConnectionId: 'c' }],
    ['the connection that sent it', {}, { ConnectionId: 'x'.repeat(200) }],
  ])('counts %s', (_, more, sentBy) => {
    const bare = toDraft({ sender: 'S' }, CHANNEL_LIMITS, 0, () => '')
    const draft = toDraft({ sender: 'S', ...more }, CHANNEL_LIMITS, 0, () => '', sentBy)
    expect(draft.bytes - bare.bytes).toBeGreaterThanOrEqual(200)
  })
})

describe('a ttl', () => {
  it('keeps an entry from those who read it too late, from the tail and from the store alike', async () => {
    for (const tailCountMax of [10_000, 1]) {
      const { channel, connect, post, clock } = await openScene({ tailCountMax })
      const { outlet, block, drain } = connect('a')
      block()
      await post('x'.repeat(600))
      await clock.settle()
      await channel.post([{ sender: 'S', body: 'short', ttlMs: 1000 }])
      await channel.post([{ sender: 'S', body: 'long', ttlMs: 2000 }])
      await post('last')
      clock.advance(1000)
      drain()
      await clock.settle()
      expect(outlet.bodies.slice(1)).toEqual(['long', 'last'])
    }
  })
})
