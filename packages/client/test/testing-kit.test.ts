// What users' own unit tests are written with: it has to behave as a server does.
import { describe, expect, it } from 'vitest'
import { createTerrasoft } from '../src/terrasoft.ts'
import { createTestServer } from '../src/testing.ts'
import { seededRandom } from './seeded-random.ts'

function listen(channel: ReturnType<ReturnType<typeof createTestServer>['connect']>): unknown[] {
  const got: unknown[] = []
  channel.on('Number', (body) => got.push(body))
  channel.onGap(({ reason }) => got.push(reason))
  return got
}

describe('the test server', () => {
  it('hands messages to channels, each body as a copy of its own', async () => {
    const server = createTestServer()
    const got = listen(server.connect())
    const body = { list: [1, 'two'] }
    await server.post('Number', body)
    body.list.push(3)
    await server.post('Another', 'not for this handler')
    await server.post('Number')
    expect(got).toEqual([{ list: [1, 'two'] }, null])
  })

  it('opens channels without any time, and states their positions', async () => {
    const server = createTestServer()
    const channel = server.connect()
    expect(channel.state).toBe('connecting')
    await server.settle()
    expect([channel.state, channel.position, server.connectionCount, server.now]).toEqual(['open', 'test-1:0', 1, 0])
    await server.post('Number', 1)
    expect(channel.position).toBe('test-1:1')
  })

  it('posts to users and groups, whom they are for', async () => {
    const server = createTestServer()
    const ann = listen(server.connect({ user: 'ann' }))
    const bob = listen(server.connect({ user: 'bob', groups: ['sales'] }))
    await server.post('Number', 1, { to: { users: ['ann'] } })
    await server.post('Number', 2, { to: { groups: ['sales'] } })
    await server.post('Number', 3, { to: { users: ['ann', 'bob'], groups: ['sales'] } })
    expect([ann, bob]).toEqual([
      [1, 3],
      [2, 3],
    ])
  })

  it('gives after a drop what was missed, in order and once', async () => {
    const server = createTestServer()
    const channel = server.connect({ user: 'ann' })
    const got = listen(channel)
    await server.post('Number', 1)
    server.drop()
    expect(channel.state).toBe('reconnecting')
    await server.post('Number', 2)
    await server.post('Number', 'for another', { to: { users: ['bob'] } })
    await server.post('Number', 3)
    expect(got).toEqual([1])
    await server.advance(1_000)
    expect([channel.state, got]).toEqual(['open', [1, 2, 3]])
  })

  it('refuses connections until told otherwise, and wakes those that wait', async () => {
    const server = createTestServer()
    const channel = server.connect()
    await server.settle()
    server.refuse()
    server.drop()
    await server.advance(600_000)
    expect([channel.state, server.connectionCount]).toEqual(['reconnecting', 0])
    server.refuse(false)
    server.wake()
    await server.settle()
    expect([channel.state, server.connectionCount]).toEqual(['open', 1])
  })

  it('delays what is on the wire, and keeps its order', async () => {
    const server = createTestServer()
    const got = listen(server.connect())
    await server.settle()
    server.delay(500)
    await server.post('Number', 1)
    server.delay(0)
    await server.post('Number', 2)
    await server.advance(499)
    expect(got).toEqual([])
    await server.advance(1)
    expect(got).toEqual([1, 2])
  })

  it('loses what is on the wire when it drops the connection, and the channel gets it again', async () => {
    const server = createTestServer()
    const got = listen(server.connect())
    await server.settle()
    server.delay(500)
    await server.post('Number', 1)
    server.drop()
    server.delay(0)
    await server.advance(2_000)
    expect(got).toEqual([1])
  })

  it('sends twice what it is told to, and a handler still runs once', async () => {
    const server = createTestServer()
    const got = listen(server.connect())
    await server.settle()
    server.duplicate(2)
    for (const number of [1, 2, 3]) await server.post('Number', number)
    expect(got).toEqual([1, 2, 3])
  })

  it.each([
    ['history-trimmed', (server: ReturnType<typeof createTestServer>) => server.trim()],
    ['epoch-changed', (server: ReturnType<typeof createTestServer>) => server.restart()],
  ])('states a gap: %s', async (reason, lose) => {
    const server = createTestServer()
    const got = listen(server.connect())
    await server.post('Number', 1)
    server.drop()
    await server.post('Number', 2)
    lose(server)
    await server.advance(1_000)
    await server.post('Number', 3)
    expect(got).toEqual([1, reason, 3])
  })

  it('keeps connections alive over hours', async () => {
    const server = createTestServer()
    const channel = server.connect()
    await server.advance(2 * 3_600_000)
    expect([channel.state, server.connectionCount]).toEqual(['open', 1])
  })

  it('reports what handlers throw, and serves the others', async () => {
    const server = createTestServer()
    const channel = server.connect()
    const error = new Error('handler')
    channel.on('Number', () => {
      throw error
    })
    const got = listen(channel)
    await server.post('Number', 1)
    expect([got, server.reportedErrors]).toEqual([[1], [error]])
  })

  it('says at once that a body is nothing for JSON', async () => {
    await expect(createTestServer().post('Number', () => {})).rejects.toThrow(TypeError)
  })

  it('serves Creatio’s names too', async () => {
    const server = createTestServer()
    const Terrasoft = createTerrasoft(server.connect())
    const got: unknown[] = []
    Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, (_channel: unknown, message: { Body: unknown }) =>
      got.push(message.Body),
    )
    await server.post('SomeMessageId', 'My message value')
    expect(got).toEqual(['My message value'])
  })

  it('loses and doubles nothing in any order of accidents', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed)
      const server = createTestServer({ random })
      const got = listen(server.connect())
      await server.settle()
      const posted: number[] = []
      for (let step = 0; step < 40; step++) {
        const chance = random()
        if (chance < 0.5) {
          posted.push(posted.length)
          await server.post('Number', posted.length - 1)
        } else if (chance < 0.65) server.drop()
        else if (chance < 0.75) server.duplicate()
        else if (chance < 0.85) server.delay(Math.floor(random() * 300))
        else await server.advance(random() * 2_000)
      }
      server.delay(0)
      await server.advance(60_000)
      expect(got, `seed ${seed}`).toEqual(posted)
    }
  })
})
