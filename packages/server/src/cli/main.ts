import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { ChannelError } from '../channel/channel-error.ts'
import { addHistory } from './history.ts'
import { addListen } from './listen.ts'
import { addOutbox } from './outbox.ts'
import { addPost } from './post.ts'
import { addServe } from './serve.ts'
import { SettingError } from './settings.ts'
import { addToken } from './token.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const program = new Command('serverchannel')
  .description('Server code posts a message; every open page that should know gets it.')
  .version(version)
  .showHelpAfterError('(--help says what there is)')
addServe(program)
addPost(program)
addListen(program)
addHistory(program)
addToken(program)
addOutbox(program)

try {
  await program.parseAsync()
} catch (error) {
  const isJson = process.argv.includes('--json')
  const text = describe(error)
  const code = error instanceof ChannelError ? error.code : 'usage'
  process.stderr.write(isJson ? `${JSON.stringify({ error: text, code })}\n` : `serverchannel: ${text}\n`)
  process.exitCode = 1
}

/** What the world did wrong in one line; a bug with its trace. */
function describe(error: unknown): string {
  if (error instanceof ChannelError) return `${error.message} (${error.code})`
  if (error instanceof SettingError) return error.message
  if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    return `${error.message}. Something else listens there; choose another port with --port.`
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
