import type { Message } from '@serverchannel/protocol'
import type { Command } from 'commander'
import { ChannelError } from '../channel/channel-error.ts'
import type { History } from '../channel/history.ts'
import { reasonOf, toError } from '../http-problem.ts'
import { createOutput, printable } from './output.ts'
import { DEFAULT_URL } from './post.ts'
import { SettingError } from './settings.ts'

interface HistoryFlags {
  readonly url?: string
  readonly apiPath: string
  readonly apiKey?: string
  readonly after?: string
  readonly sender?: string
  readonly user?: string
  readonly limit?: string
  readonly json?: boolean
}

const REQUEST_TIMEOUT_MS = 30_000

/** `serverchannel history`: what the log has. */
export function addHistory(program: Command): void {
  program
    .command('history')
    .description('Print messages that the log keeps, oldest first.')
    .option('--url <url>', `the server [env: SERVERCHANNEL_URL], default ${DEFAULT_URL}`)
    .option('--api-path <path>', 'path of the web service that posts', '/api/messages')
    .option('--api-key <key>', 'a key that may post [env: SERVERCHANNEL_API_KEY]')
    .option('--after <epoch:offset>', 'begin with what came after this position')
    .option('--sender <id>', 'only messages with this id')
    .option('--user <id>', 'only what this user would have got: what is for all, and what names the user')
    .option('--limit <n>', 'end after so many messages; all when left out')
    .option('--json', 'print messages as JSON lines')
    .action(history)
}

async function history(flags: HistoryFlags): Promise<void> {
  const output = createOutput(flags.json === true)
  const limit = flags.limit === undefined ? Number.POSITIVE_INFINITY : Number(flags.limit)
  if (!(limit >= 1) || (flags.limit !== undefined && !Number.isInteger(limit))) {
    throw new SettingError(`--limit needs to be a whole number above 0; it is '${String(flags.limit)}'.`)
  }
  let { after } = flags
  for (let left = limit; left > 0; ) {
    const { messages, position, hasMore, missed } = await readPart(flags, after)
    if (missed) output.note(`Messages after ${printable(after ?? '')} are gone: ${missed}.`)
    const shown = messages.slice(0, left)
    for (const message of shown) output.result(message, describe(message))
    left -= shown.length
    after = shown.length < messages.length ? shown.at(-1)?.Position : position
    if (!hasMore && shown.length === messages.length) break
  }
  if (after !== undefined) output.note(`--after ${printable(after)} goes on from here.`)
}

async function readPart(flags: HistoryFlags, after: string | undefined): Promise<History> {
  const base = flags.url ?? process.env['SERVERCHANNEL_URL'] ?? DEFAULT_URL
  if (!/^https?:/.test(base) || !URL.canParse(base)) {
    throw new SettingError(`'${base}' is not the url of a server, such as '${DEFAULT_URL}'.`)
  }
  const url = new URL(`${base.replace(/\/+$/, '')}${flags.apiPath}`)
  for (const [name, value] of [
    ['after', after],
    ['sender', flags.sender],
    ['user', flags.user],
  ] as const) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  const apiKey = flags.apiKey ?? process.env['SERVERCHANNEL_API_KEY']
  let status: number
  let text: string
  try {
    const response = await fetch(url, {
      headers: apiKey ? { Authorization: `Bearer ${apiKey}` } : {},
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    status = response.status
    text = await response.text()
  } catch (cause) {
    const reason = `There is no answer from ${base}: ${reasonOf(cause)}. Is the server running?`
    throw new ChannelError('server_unreachable', reason, { cause })
  }
  if (status !== 200) throw toError(status, text, base)
  return JSON.parse(text) as History
}

function describe({ Header, Body, Position }: Message): string {
  const body = typeof Body === 'string' ? Body : JSON.stringify(Body)
  return `${printable(Position ?? '')}  ${printable(Header.Sender)}  ${printable(body)}`
}
