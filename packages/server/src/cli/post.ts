import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { pino } from 'pino'
import type { AudienceInput } from '../channel/audience.ts'
import type { Receipt } from '../channel/channel.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Post } from '../channel/intake.ts'
import { HttpPoster } from '../http-poster.ts'
import { createOutput, type Output } from './output.ts'
import { asSettings } from './settings.ts'

export const DEFAULT_URL = 'http://127.0.0.1:8787'
const POSTS_UNDER_WAY_MAX = 2000
const PROGRESS_MS = 1000

interface PostFlags {
  readonly url?: string
  readonly apiKey?: string
  readonly jsonBody?: boolean
  readonly ndjson?: boolean
  readonly user: readonly string[]
  readonly group: readonly string[]
  readonly connection: readonly string[]
  readonly key?: string
  readonly intervalMs?: number
  readonly ttlMs?: number
  readonly id?: string
  readonly json?: boolean
}

/** `serverchannel post`: one message, or many from standard input. */
export function addPost(program: Command): void {
  program
    .command('post')
    .description('Post a message to all pages, or to those of users or groups.')
    .argument('[sender]', 'the message id by which pages know it')
    .argument('[body]', 'the value: this very text; with --json-body, JSON. From standard input where it is -')
    .option('--url <url>', `the server [env: SERVERCHANNEL_URL], default ${DEFAULT_URL}`)
    .option('--api-key <key>', 'a key that may post [env: SERVERCHANNEL_API_KEY]')
    .option('--json-body', 'the body is JSON: a list, an object, a number …')
    .option('--user <id>', 'only to this user; may be repeated', collect, [])
    .option('--group <name>', 'only to this group; may be repeated', collect, [])
    .option('--connection <id>', 'only to this connection; may be repeated', collect, [])
    .option('--key <key>', 'what it is about: whoever is behind or away gets only the newest of this sender and key')
    .option('--interval-ms <ms>', 'of the sender and key each page gets at most one in so many milliseconds', Number)
    .option('--ttl-ms <ms>', 'nobody gets it after so many milliseconds', Number)
    .option('--id <id>', 'idempotency key: the same id posts once')
    .option('--ndjson', 'post many from standard input: {"sender":…,"body":…} a line')
    .option('--json', 'print receipts as JSON lines')
    .action(post)
}

function collect(value: string, list: readonly string[]): readonly string[] {
  return [...list, value]
}

async function post(sender: string | undefined, body: string | undefined, flags: PostFlags): Promise<void> {
  const output = createOutput(flags.json === true)
  const apiKey = flags.apiKey ?? process.env['SERVERCHANNEL_API_KEY']
  const url = flags.url ?? process.env['SERVERCHANNEL_URL'] ?? DEFAULT_URL
  const logger = pino({ level: 'silent' })
  const poster = await asSettings(() => new HttpPoster({ url, logger, ...(apiKey ? { apiKey } : {}) }))
  if (flags.ndjson) {
    await postLines(poster, output)
    return
  }
  if (sender === undefined)
    throw new ChannelError('sender_invalid', 'Say which message: serverchannel post SENDER [BODY]')
  const receipt = await poster.post({
    sender,
    body: await readBody(body, flags.jsonBody === true),
    to: audienceOf(flags),
    ...(flags.key === undefined ? {} : { key: flags.key }),
    ...(flags.intervalMs === undefined ? {} : { intervalMs: flags.intervalMs }),
    ...(flags.ttlMs === undefined ? {} : { ttlMs: flags.ttlMs }),
    ...(flags.id === undefined ? {} : { id: flags.id }),
  })
  output.result(receipt, describe(receipt))
}

/** Posts the lines of standard input in their order; reading waits where too many are under way. */
async function postLines(poster: HttpPoster, output: Output): Promise<void> {
  let number = 0
  let posted = 0
  const underWay: Promise<void>[] = []
  const postLine = async (line: string, at: number): Promise<void> => {
    try {
      const receipt = await poster.post(parseLine(line))
      posted++
      output.result(receipt, `${receipt.position} ${receipt.id}`)
    } catch (error) {
      throw error instanceof ChannelError ? new ChannelError(error.code, `Line ${at}: ${error.message}`) : error
    }
  }
  const progress = setInterval(() => output.note(`${posted} posted …`), PROGRESS_MS)
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      number++
      if (line.trim() === '') continue
      const posting = postLine(line, number)
      // Awaited below; until then its failure is nobody's.
      posting.catch(() => {})
      underWay.push(posting)
      if (underWay.length >= POSTS_UNDER_WAY_MAX) await underWay.shift()
    }
    await Promise.all(underWay)
  } finally {
    clearInterval(progress)
  }
  output.note(`${posted} posted.`)
}

function parseLine(line: string): Post {
  try {
    return JSON.parse(line) as Post
  } catch (cause) {
    throw new ChannelError('request_not_json', cause instanceof Error ? cause.message : String(cause))
  }
}

async function readBody(argument: string | undefined, isJson: boolean): Promise<unknown> {
  const text = argument === '-' ? await readStandardInput() : argument
  if (text === undefined) return null
  if (!isJson) return text
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ChannelError(
      'body_not_json',
      `The body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
    )
  }
}

async function readStandardInput(): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of process.stdin as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts).toString()
}

function audienceOf({ user, group, connection }: PostFlags): AudienceInput {
  if (user.length + group.length + connection.length === 0) return 'all'
  return {
    ...(user.length > 0 ? { users: user } : {}),
    ...(group.length > 0 ? { groups: group } : {}),
    ...(connection.length > 0 ? { connections: connection } : {}),
  }
}

function describe({ position, durability, connections }: Receipt): string {
  return `Posted at ${position} (${durability}), to ${connections} connection${connections === 1 ? '' : 's'}.`
}
