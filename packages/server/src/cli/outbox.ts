import type { Command } from 'commander'
import { ChannelError } from '../channel/channel-error.ts'
import { installerOf } from '../outbox/install-outbox.ts'
import { withoutPassword } from '../stores/open-store.ts'
import { createOutput } from './output.ts'
import { asSettings, SettingError } from './settings.ts'

interface InstallFlags {
  readonly print?: boolean
  readonly json?: boolean
}

/** `serverchannel outbox install`: what a database needs so that its transactions can post. */
export function addOutbox(program: Command): void {
  const outbox = program.command('outbox').description('Post in the transactions of a database.')
  outbox
    .command('install')
    .description('Make what a database needs so that its transactions can post. Can be run again: what is there stays.')
    .argument(
      '[url]',
      'the database: postgres://user:password@host:5432/database (with ?channel=… for another than main), ' +
        'mysql://user:password@host:3306/database, sqlite:FILE; with --print the scheme is enough, as sqlite:',
    )
    .option('--print', 'only print the SQL, to be reviewed and run by other means; of PostgreSQL where no url is given')
    .option('--json', 'print the result as one JSON line')
    .action(install)
}

async function install(url: string | undefined, flags: InstallFlags): Promise<void> {
  const output = createOutput(flags.json === true)
  if (url === undefined && !flags.print) {
    throw new SettingError('Say in which database: serverchannel outbox install postgres://…, mysql://… or sqlite:FILE')
  }
  const address = url ?? 'postgres:'
  const installer = await asSettings(() => installerOf(address))
  if (flags.print) {
    output.result({ sql: installer.script() }, installer.script())
    return
  }
  const result = await asSettings(() => installer.install(address)).catch((error: unknown) => {
    if (error instanceof SettingError) throw error
    throw failed(address, error)
  })
  const { installed } = result
  const what = installed.length > 0 ? `Installed ${installed.join(', ')}` : 'All was there'
  output.result(result, `${what}. Post in a transaction: ${installer.example}`)
}

function failed(url: string, cause: unknown): ChannelError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ChannelError('store_failed', `${withoutPassword(url)}: ${reason}`, { cause })
}
