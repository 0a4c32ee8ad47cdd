import { connect, type Message } from '@serverchannel/client'
import type { Command } from 'commander'
import { WebSocket } from 'ws'
import { createOutput, printable } from './output.ts'
import { DEFAULT_URL } from './post.ts'
import { asSettings, SettingError } from './settings.ts'

interface ListenFlags {
  readonly url?: string
  readonly path: string
  readonly user?: string
  readonly token?: string
  readonly position?: string
  readonly count?: number
  readonly json?: boolean
}

/** `serverchannel listen`: a terminal as one more page. A page-side program, so it uses the client as pages do. */
export function addListen(program: Command): void {
  program
    .command('listen')
    .description('Print messages as they come, over any number of reconnects, each once.')
    .argument('[sender...]', 'only messages with these ids; all when left out')
    .option('--url <url>', `the server [env: SERVERCHANNEL_URL], default ${DEFAULT_URL}`)
    .option('--path <path>', 'path of the hub', '/msg')
    .option('--user <id>', 'listen as this user, where the server is in development mode')
    .option('--token <token>', "a user token (see 'serverchannel token') [env: SERVERCHANNEL_TOKEN]")
    .option('--position <epoch:offset>', 'begin with what came after this position')
    .option('--count <n>', 'end after so many messages', Number)
    .option('--json', 'print messages as JSON lines')
    .action(listen)
}

async function listen(senders: readonly string[], flags: ListenFlags): Promise<void> {
  const output = createOutput(flags.json === true)
  const { count } = flags
  if (count !== undefined && !(Number.isInteger(count) && count > 0)) {
    throw new SettingError(`--count needs to be a whole number above 0; it is '${count}'.`)
  }
  const token = flags.token ?? process.env['SERVERCHANNEL_TOKEN']
  const url = hubUrl(flags)
  const channel = await asSettings(() =>
    connect(url, {
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
      ...(token ? { accessToken: token } : {}),
      ...(flags.position ? { position: flags.position } : {}),
    }),
  )
  const ended = new Promise<void>((resolve) => {
    let seen = 0
    process.once('SIGINT', resolve).once('SIGTERM', resolve)
    channel.onMessage((message) => {
      if (senders.length > 0 && !senders.includes(message.Header.Sender)) return
      output.result(message, describe(message))
      if (++seen === count) resolve()
    })
  })
  channel.onStateChange((state) => output.note(`${state} ${url}`))
  channel.onGap(({ reason, from, to }) => output.note(`Messages were lost between ${from} and ${to}: ${reason}.`))
  channel.onError((error) => output.note(printable(error.message)))
  await ended
  await channel.close()
}

function hubUrl({ url = process.env['SERVERCHANNEL_URL'] ?? DEFAULT_URL, path, user }: ListenFlags): string {
  if (!URL.canParse(url)) throw new SettingError(`'${url}' is not the url of a server, such as '${DEFAULT_URL}'.`)
  const hub = new URL(`${url.replace(/\/+$/, '')}${path}`)
  if (user !== undefined) hub.searchParams.set('user', user)
  return hub.href
}

function describe({ Header, Body, Position }: Message): string {
  const body = typeof Body === 'string' ? Body : JSON.stringify(Body)
  return `${printable(Position ?? '')}  ${printable(Header.Sender)}  ${printable(body)}`
}
