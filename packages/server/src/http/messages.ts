import type { IncomingMessage, ServerResponse } from 'node:http'
import { isJsonTooDeep } from '@serverchannel/protocol'
import { z } from 'zod'
import type { Receipt } from '../channel/channel.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Post } from '../channel/intake.ts'
import type { Limits } from '../options.ts'
import { send, sendJson } from '../transports/answer.ts'
import { readBody } from '../transports/request-body.ts'

/** Levels that a post adds around its body. */
const POST_DEPTH = 2

const ids = z.union([z.string(), z.array(z.string())]).optional()
/** Its shape only: what the names and bounds may be, the channel itself says. */
const postSchema = z.strictObject({
  sender: z.string({ error: "'sender' is missing or not a string." }),
  body: z.unknown().optional(),
  bodyTypeName: z.string().optional(),
  channelType: z.string().optional(),
  to: z
    .union([
      z.literal('all'),
      z.strictObject({ all: z.boolean().optional(), users: ids, groups: ids, connections: ids, except: ids }),
    ])
    .optional(),
  key: z.string().optional(),
  intervalMs: z.number().optional(),
  ttlMs: z.number().optional(),
  id: z.string().optional(),
})

/**
 * `POST /api/messages`: one message as `application/json`, answered 201 with its receipt; or many as
 * `application/x-ndjson`, a message a line, appended all or none, answered 201 with a receipt a line.
 */
export async function postMessages(
  request: IncomingMessage,
  response: ServerResponse,
  limits: Limits,
  post: (posts: readonly Post[]) => Promise<readonly Receipt[]>,
): Promise<void> {
  const type = mediaType(request)
  const body = await readBody(request, limits.requestBytesMax, 'requestBytesMax')
  const text = decode(body)
  if (type === 'application/json') {
    const [receipt] = await post([parsePost(text, limits)])
    sendJson(response, 201, receipt)
    return
  }
  const receipts = await post(parseLines(text, limits))
  const lines = receipts.map((receipt) => `${JSON.stringify(receipt)}\n`).join('')
  send(response, 201, lines, { 'Content-Type': NDJSON })
}

const NDJSON = 'application/x-ndjson'

/** Only these two: a page of another origin can't send them without asking first (CORS). */
function mediaType(request: IncomingMessage): 'application/json' | typeof NDJSON {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (type === 'application/json' || type === NDJSON) return type
  throw new ChannelError(
    'content_type_unsupported',
    `Send 'Content-Type: application/json', or '${NDJSON}' for many messages.`,
  )
}

function parseLines(text: string, limits: Limits): Post[] {
  const posts: Post[] = []
  let number = 0
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    const line = text.slice(start, end).trim()
    number++
    start = end + 1
    if (number > limits.requestMessagesMax) {
      throw new ChannelError(
        'request_too_large',
        `The request has more than the ${limits.requestMessagesMax} lines that 'requestMessagesMax' allows.`,
      )
    }
    if (line !== '') posts.push(parsePost(line, limits, `Line ${number}: `))
  }
  if (posts.length === 0) throw new ChannelError('message_invalid', 'The request has no message in it.')
  return posts
}

function parsePost(text: string, limits: Limits, where = ''): Post {
  if (isJsonTooDeep(text, limits.depthMax + POST_DEPTH)) {
    throw new ChannelError('body_too_deep', `${where}The body nests deeper than ${limits.depthMax} levels.`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ChannelError('request_not_json', `${where}${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  const result = postSchema.safeParse(value)
  if (result.success) return result.data as Post
  const issues = result.error.issues.slice(0, 3).map((issue) => describe(issue.path, issue.message))
  throw new ChannelError('message_invalid', `${where}${issues.join(' ')}`)
}

function describe(path: readonly PropertyKey[], message: string): string {
  return path.length === 0 || message.startsWith("'") ? message : `'${path.join('.')}': ${message}.`
}

/** Between calls it keeps nothing. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(body: Buffer): string {
  try {
    return utf8.decode(body)
  } catch (cause) {
    throw new ChannelError('request_not_json', 'The request is not UTF-8.', { cause })
  }
}
