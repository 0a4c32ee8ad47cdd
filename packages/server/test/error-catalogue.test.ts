import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { requireAccess } from '../src/auth/access.ts'
import { ChannelError, type ErrorCode, errorKinds } from '../src/channel/channel-error.ts'
import type { Post } from '../src/channel/intake.ts'
import { HttpPoster } from '../src/http-poster.ts'
import type { ServerChannelOptions } from '../src/options.ts'
import { toChannelError } from '../src/transports/answer.ts'
import { openScene } from './channel-scene.ts'
import { HANDSHAKE, openHub, PING } from './hub-scene.ts'
import { openRaw, serveChannel, UPGRADE_HEAD } from './served-channel.ts'
import { ask } from './transport-http.ts'
import { until } from './until.ts'

/** Brings an error about by what the world does, and answers its code. */
type Provoke = () => Promise<unknown>

/** What an HTTP request is told. */
async function problemOf(
  path: string,
  headers: Record<string, string> = {},
  options: ServerChannelOptions = { development: true },
): Promise<unknown> {
  const { url } = await serveChannel(options)
  const { status, headers: answered, text } = await ask(`${url}${path}`, { method: 'POST', headers })
  const problem = JSON.parse(text) as { code: ErrorCode; status: number; type: string; title: string; retry: boolean }
  expect(answered['content-type']).toBe('application/problem+json')
  const { title, retry } = errorKinds[problem.code]
  expect(problem).toMatchObject({ status, title, retry, type: `urn:serverchannel:error:${problem.code}` })
  return problem.code
}

/** What a request that posts is told. */
async function postCode(body: string, type = 'application/json', options?: ServerChannelOptions): Promise<unknown> {
  const { url } = await serveChannel({ development: true, ...options })
  const { text } = await ask(`${url}/api/messages`, { method: 'POST', body, headers: { 'Content-Type': type } })
  return (JSON.parse(text) as { code: unknown }).code
}

/** What an upgrade is told. */
async function upgradeCode(path: string, options: ServerChannelOptions = {}): Promise<unknown> {
  const { port } = await serveChannel(options)
  const raw = await openRaw(port, `${UPGRADE_HEAD.replace('/msg', path)}\r\n`)
  await until(raw.isEnded, 'the upgrade is refused')
  return (JSON.parse(raw.text().split('\r\n\r\n')[1] ?? '') as { code: unknown }).code
}

/** Why a client's connection ended. */
async function endCode(data: string, waitMs = 0, identity = {}): Promise<unknown> {
  const { clock, connect } = await openHub()
  const { hub, transport, ends } = connect('a', { shakesHands: false, identity })
  transport.send(data)
  clock.advance(waitMs)
  hub.tick(clock.now())
  return ends[0]?.code
}

async function lostCode(lose: 'history' | 'reading'): Promise<unknown> {
  const { connect, post, clock, store } = await openScene({ tailCountMax: 1 })
  const { outlet, block, drain } = connect('a')
  block()
  for (const body of ['x'.repeat(600), 2, 3]) {
    await post(body)
    await clock.settle()
  }
  if (lose === 'history') store.trimTo(2)
  else store.readError = new Error('io')
  drain()
  await clock.settle()
  return outlet.closed?.code
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'none',
    (error: unknown) => (error as ChannelError).code,
  )
}

async function channelCode(post: unknown): Promise<unknown> {
  const { channel } = await openScene()
  return codeOf(channel.post([post as Post]))
}

/** What a client of the channel is told that sends a message so many times. */
async function callCode(sender: string, count = 1): Promise<unknown> {
  const { clock, connect } = await openHub()
  const { transport } = connect('a')
  const message = { Header: { Sender: sender } }
  const call = { type: 1, invocationId: '1', target: 'SendMessage', arguments: [message] }
  for (let i = 0; i < count; i++) {
    transport.send(`${JSON.stringify(call)}\x1e`)
    await clock.settle()
  }
  const { error } = JSON.parse(transport.records.at(-1) ?? '') as { error: string }
  return /HubException: (\w+): /.exec(error)?.[1]
}

const provocations: Readonly<Record<ErrorCode, Provoke | `see ${string}`>> = {
  already_open: 'see transport-http-rules.test.ts: WebSockets',
  audience_invalid: () => channelCode({ sender: 'S', to: {} }),
  authentication_expired: () => endCode(HANDSHAKE, 1, { expiresAt: 0 }),
  body_invalid: 'see message-contract.test.ts: refuses what is not, says where, and posts nothing of it',
  body_not_json: () => channelCode({ sender: 'S', body: 1n }),
  body_too_deep: () => postCode(`{"sender":"S","body":${'['.repeat(65)}${']'.repeat(65)}}`),
  body_too_large: () =>
    postCode('{"sender":"S","body":"12345678901234567"}', 'application/json', { postedBodyBytesMax: 16 }),
  channel_closed: async () => {
    const { channel } = await serveChannel()
    await channel.close()
    return codeOf(channel.postMessageToAll('S'))
  },
  client_timeout: () => endCode(HANDSHAKE + PING, 30_000),
  connection_lost:
    'see hub-runtime-lifecycle.test.ts: is told that the network broke, as opposed to a client that left',
  content_type_unsupported: () => postCode('{"sender":"S"}', 'text/plain'),
  development_only: async () => {
    const request = { headers: {}, socket: { remoteAddress: '192.0.2.7' } } as IncomingMessage
    return codeOf(Promise.resolve().then(() => requireAccess(request, { development: true, allowsOrigin: undefined })))
  },
  disconnected:
    'see cluster-contract.ts: end connections of others within two seconds, and keep a user out for as long as is said',
  history_lost: () => lostCode('history'),
  host_forbidden: () => problemOf('/msg/negotiate', { Host: 'evil.test' }),
  id_invalid: () => postCode('{"sender":"S","id":""}'),
  internal: async () => toChannelError(new Error('nobody foresaw it')).code,
  key_rejected: () => problemOf('/api/messages', {}, { apiKeys: ['a-key-of-sixteen-or-more'] }),
  message_invalid: () => postCode('{"sender":"S","novelty":1}'),
  message_refused: () => callCode('Chat'),
  message_too_large: () => endCode(`${HANDSHAKE}${'x'.repeat(32_769)}`),
  method_not_allowed: async () => {
    const { url } = await serveChannel({ development: true })
    return (JSON.parse((await ask(`${url}/api/messages`, { method: 'PUT' })).text) as { code: unknown }).code
  },
  no_channel:
    'see ../../../test/cli/terrasoft.test.ts: is logged, and does not end the process, where there is no channel and no server',
  node_rejected: 'see nodes-signatures.test.ts: does not take a request of another node twice',
  not_found: () => upgradeCode('/msg?id=unknown'),
  origin_forbidden: () => problemOf('/msg/negotiate', { Origin: 'http://evil.test' }),
  position_invalid: () => upgradeCode('/msg?position=nonsense'),
  protocol_broken: () => endCode('no\x1e'),
  query_invalid: async () => {
    const { url } = await serveChannel({ development: true })
    return (JSON.parse((await ask(`${url}/api/messages?limit=0`)).text) as { code: unknown }).code
  },
  reader_stalled: 'see hub-time.test.ts: is closed after 30 s, so that it may come back',
  request_not_json: () => postCode('{'),
  request_pipelined: 'see transport-pipelined.test.ts: is refused where it would stay open',
  request_too_large: () => postCode('{"sender":"S"}\n'.repeat(3), 'application/x-ndjson', { requestMessagesMax: 2 }),
  sender_invalid: () => postCode('{"sender":""}'),
  sender_reserved: () => callCode('CommandService'),
  server_shutdown: 'see shutdown.test.ts: tells every client that it may come back',
  server_unreachable: 'see ../../../test/cli/terrasoft.test.ts: rejects where it is awaited and fails',
  store_failed: () => lostCode('reading'),
  token_rejected: () => upgradeCode('/msg', { authenticate: () => null }),
  too_many_connections: 'see websocket.test.ts: that open and say nothing are gone after the handshake timeout',
  too_many_messages: () => callCode('Chat', 101),
  too_many_negotiations: 'see negotiate.test.ts: is no more than its bound at any time',
  too_many_posts: async () => {
    const { url } = await serveChannel({ development: true })
    const poster = new HttpPoster({ url, logger: pino({ level: 'silent' }) })
    const codes = await Promise.all(Array.from({ length: 10_001 }, () => codeOf(poster.post({ sender: 'S' }))))
    return codes.at(-1)
  },
  ttl_invalid: () => postCode('{"sender":"S","ttlMs":-1}'),
}

describe('every error of the catalogue', () => {
  const entries = Object.entries(provocations)

  it('has its test', () => {
    expect(Object.keys(provocations).toSorted()).toEqual(Object.keys(errorKinds).toSorted())
  })

  it.each(entries.flatMap(([code, provoke]) => (typeof provoke === 'string' ? [] : [[code, provoke] as const])))(
    'can come about: %s',
    async (code, provoke) => {
      expect(await provoke()).toBe(code)
    },
  )

  it.each(entries.flatMap(([code, provoke]) => (typeof provoke === 'string' ? [[code, provoke] as const] : [])))(
    'comes about elsewhere: %s, %s',
    async (_, reference) => {
      const [file = '', name = ''] = reference.slice('see '.length).split(/: (.*)/s)
      expect(await readFile(new URL(file, import.meta.url), 'utf8')).toContain(`it('${name}`)
    },
  )

  it('says no more of what went wrong inside than that it did', () => {
    expect(toChannelError(new Error('password=1')).message).not.toContain('password')
  })
})
