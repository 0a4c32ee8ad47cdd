import { request as httpRequest } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { ServerChannelOptions } from '../src/options.ts'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'

const open: ServerChannel[] = []

async function serve(
  options: ServerChannelOptions = { development: true },
): Promise<{ channel: ServerChannel; url: string }> {
  const channel = await createServerChannel(options)
  open.push(channel)
  return { channel, url: (await channel.listen()).url }
}

afterEach(async () => {
  for (const channel of open.splice(0)) await channel.close()
})

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly body: Record<string, unknown>
}

async function post(
  url: string,
  body: string | Buffer,
  type = 'application/json',
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${url}/api/messages`, {
    method: 'POST',
    headers: { 'Content-Type': type, ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  })
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: (text.startsWith('{') ? JSON.parse(text.split('\n')[0] ?? '') : { text }) as Record<string, unknown>,
  }
}

const NDJSON = 'application/x-ndjson'
const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

describe('POST /api/messages', () => {
  it('answers 201 with the receipt', async () => {
    const { channel, url } = await serve()
    const answer = await post(url, '{"sender":"A","body":{"x":[1]},"to":{"users":["u"]},"ttlMs":1000,"id":"once"}')
    expect(answer).toMatchObject({
      status: 201,
      type: 'application/json',
      body: { id: 'once', position: channel.position, durability: 'memory', connections: 0 },
    })
  })

  it('gives a second post with the same id the position of the first', async () => {
    const { channel, url } = await serve()
    const first = await post(url, '{"sender":"A","id":"same"}')
    const second = await post(url, '{"sender":"A","id":"same"}')
    expect(second.body).toEqual(first.body)
    expect(channel.position).toBe(first.body['position'])
  })

  it('appends the lines of NDJSON in order, and answers a receipt a line', async () => {
    const { channel, url } = await serve()
    const lines = Array.from({ length: 100 }, (_, n) => `{"sender":"A","body":${n}}`).join('\n')
    const response = await fetch(`${url}/api/messages`, {
      method: 'POST',
      headers: { 'Content-Type': NDJSON },
      body: lines,
    })
    const receipts = (await response.text()).trim().split('\n')
    expect(response.status).toBe(201)
    expect(receipts).toHaveLength(100)
    expect(receipts.at(-1)).toContain(channel.position)
  })

  it('appends nothing where one line is wrong, and names the line', async () => {
    const { channel, url } = await serve()
    const before = channel.position
    const answer = await post(url, '{"sender":"A"}\n\n{"sender":5}\n', NDJSON)
    expect(answer).toMatchObject({ status: 400, body: { code: 'message_invalid' } })
    expect(answer.body['detail']).toContain('Line 3')
    expect(channel.position).toBe(before)
  })

  it.each([
    ['{', 'request_not_json', 400],
    ['', 'request_not_json', 400],
    ['[]', 'message_invalid', 400],
    ['null', 'message_invalid', 400],
    ['{"body":1}', 'message_invalid', 400],
    ['{"sender":"A","colour":"red"}', 'message_invalid', 400],
    ['{"sender":"A","to":"nobody"}', 'message_invalid', 400],
    ['{"sender":""}', 'sender_invalid', 400],
    [`{"sender":"${'x'.repeat(257)}"}`, 'sender_invalid', 400],
    ['{"sender":"A","id":""}', 'id_invalid', 400],
    ['{"sender":"A","key":""}', 'message_invalid', 400],
    ['{"sender":"A","key":5}', 'message_invalid', 400],
    ['{"sender":"A","intervalMs":5}', 'message_invalid', 400],
    ['{"sender":"A","key":"k","intervalMs":1e300}', 'message_invalid', 400],
    ['{"sender":"A","ttlMs":0}', 'ttl_invalid', 400],
    ['{"sender":"A","ttlMs":1e300}', 'ttl_invalid', 400],
    ['{"sender":"A","to":{}}', 'audience_invalid', 400],
    ['{"sender":"A","to":{"users":[""]}}', 'audience_invalid', 400],
    [`{"sender":"A","body":${deep(65)}}`, 'body_too_deep', 400],
    [`{"sender":"A","body":${deep(100_000)}}`, 'body_too_deep', 400],
    [`{"sender":"A","body":"${'x'.repeat(1_048_576)}"}`, 'body_too_large', 413],
  ])('answers %.40s with %s', async (body, code, status) => {
    const { channel, url } = await serve()
    const answer = await post(url, body)
    expect(answer).toMatchObject({ status, type: 'application/problem+json', body: { status, code, retry: false } })
    expect(answer.body['type']).toBe(`urn:serverchannel:error:${code}`)
    expect(channel.position).toMatch(/:0$/)
  })

  it('takes a body at the very limits', async () => {
    const { url } = await serve()
    expect((await post(url, `{"sender":"A","body":${deep(64)}}`)).status).toBe(201)
    expect((await post(url, `{"sender":"A","body":"${'x'.repeat(1_048_574)}"}`)).status).toBe(201)
  })

  it('refuses what is not UTF-8, other types and other methods', async () => {
    const { url } = await serve()
    const broken = Buffer.concat([Buffer.from('{"sender":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])
    expect((await post(url, broken)).body['code']).toBe('request_not_json')
    expect(await post(url, '{"sender":"A"}', 'text/plain')).toMatchObject({
      status: 415,
      body: { code: 'content_type_unsupported' },
    })
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const response = await fetch(`${url}/api/messages`, { method })
      expect(response.status).toBe(405)
      expect(response.headers.get('allow')).toBe('GET, HEAD, POST')
    }
  })

  it.each(['with its length', 'in chunks'])(
    'refuses a request that is too large, sent %s, before it is all there',
    async (way) => {
      const { channel, url } = await serve({ development: true, requestBytesMax: 100_000 })
      const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
        const headers = way === 'in chunks' ? {} : { 'Content-Length': 10_000_000 }
        const sent = httpRequest(`${url}/api/messages`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', ...headers },
        })
        sent.on('response', (response) => {
          let text = ''
          response.on('data', (data: Buffer) => {
            text += data.toString()
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        })
        // Once the answer is there the server ends the connection, whatever is still being sent.
        sent.on('error', (error: NodeJS.ErrnoException) => {
          if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error)
        })
        sent.write('x'.repeat(200_000))
      })
      expect(answer.status).toBe(413)
      expect(answer.text).toContain('request_too_large')
      expect((await post(url, '{"sender":"A"}')).status).toBe(201)
      expect(channel.position).toMatch(/:1$/)
    },
  )

  it('refuses more lines than are allowed', async () => {
    const { url } = await serve({ development: true, requestMessagesMax: 3 })
    expect((await post(url, '{"sender":"A"}\n'.repeat(3), NDJSON)).status).toBe(201)
    expect(await post(url, '{"sender":"A"}\n'.repeat(4), NDJSON)).toMatchObject({
      status: 413,
      body: { code: 'request_too_large' },
    })
    expect((await post(url, '\n'.repeat(1_000_000), NDJSON)).status).toBe(413)
  })

  it('lives on where a client goes away in the middle of its request', async () => {
    const { url } = await serve()
    for (let n = 0; n < 20; n++) {
      const sent = httpRequest(`${url}/api/messages`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Content-Length': 1000 },
      })
      sent.on('error', () => {})
      await new Promise<void>((resolve) => {
        sent.write('{"sender":', () => {
          sent.destroy()
          resolve()
        })
      })
    }
    expect((await post(url, '{"sender":"A"}')).status).toBe(201)
  })

  it('asks for a key where keys are configured, and is not there where none are', async () => {
    const keyed = await serve({ apiKeys: ['first-key-of-sixteen', 'second-key-of-sixteen'] })
    const body = '{"sender":"A"}'
    expect(await post(keyed.url, body)).toMatchObject({ status: 401, body: { code: 'key_rejected' } })
    const bearer = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` })
    expect((await post(keyed.url, body, 'application/json', bearer('first-key-of-sixteeN'))).status).toBe(401)
    for (const key of ['first-key-of-sixteen', 'second-key-of-sixteen']) {
      expect((await post(keyed.url, body, 'application/json', bearer(key))).status).toBe(201)
    }
    const closed = await serve({})
    expect(await post(closed.url, body)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  it('says nothing of what went wrong inside, and that it can be tried again', async () => {
    const store = {
      durability: 'memory' as const,
      trouble: undefined,
      signal: () => Promise.resolve(),
      open: () => Promise.resolve({ epoch: 'e', head: 0, trimmedTo: 0 }),
      append: () => Promise.reject(new Error('secret detail')),
      read: () => Promise.resolve({ entries: [], isTrimmed: false }),
      state: () => ({ epoch: 'e', head: 0, trimmedTo: 0 }),
      close: () => Promise.resolve(),
    }
    const { pino } = await import('pino')
    const { url } = await serve({ development: true, store, logger: pino({ level: 'silent' }) })
    const answer = await post(url, '{"sender":"A"}')
    expect(answer).toMatchObject({ status: 503, body: { code: 'store_failed', retry: true } })
    expect(JSON.stringify(answer)).not.toContain('secret')
  })
})

describe('health', () => {
  it('tells that the process lives and is ready, and that nothing else is there', async () => {
    const { url } = await serve()
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    const ready = await fetch(`${url}/readyz`)
    expect(await ready.json()).toEqual({ ready: true, durability: 'memory' })
    expect((await fetch(`${url}/readyz`, { method: 'POST' })).status).toBe(405)
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404)
  })
})
