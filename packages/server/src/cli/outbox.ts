import type { Command } from 'commander'
import { ChannelError } from '../channel/channel-error.ts'
import { withoutPassword } from '../stores/open-store.ts'
import { parsePostgresAddress } from '../stores/postgres-address.ts'
import { openPostgres } from '../stores/postgres-client.ts'
import { installSchema, schemaScript } from '../stores/postgres-schema.ts'
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
    .description('Make the functions that post, in the schema serverchannel. Can be run again: what is there stays.')
    .argument(
      '[url]',
      "the database: postgres://user:password@host:5432/database, with ?channel=… for another than 'main'",
    )
    .option('--print', 'only print the SQL, to be reviewed and run by other means')
    .option('--json', 'print the result as one JSON line')
    .action(install)
}

async function install(url: string | undefined, flags: InstallFlags): Promise<void> {
  const output = createOutput(flags.json === true)
  if (flags.print) {
    output.result({ sql: schemaScript() }, schemaScript())
    return
  }
  if (url === undefined) throw new SettingError('Say in which database: serverchannel outbox install postgres://…')
  const { connectionString, channel } = await asSettings(() => parsePostgresAddress(url))
  const client = await asSettings(() => openPostgres(connectionString, 'install')).catch((error: unknown) => {
    if (error instanceof SettingError) throw error
    throw failed(url, error)
  })
  try {
    const installed = await installSchema(client)
    await client.query('SELECT serverchannel.create_channel($1)', [channel])
    const what = installed.length > 0 ? `Installed ${installed.join(', ')}` : 'All was there'
    output.result(
      { installed, channel },
      `${what}. Post in a transaction: SELECT serverchannel.post_message_to_all('OrderChanged', '{"id":42}')`,
    )
  } catch (error) {
    throw failed(url, error)
  } finally {
    await client.end()
  }
}

function failed(url: string, cause: unknown): ChannelError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ChannelError('store_failed', `${withoutPassword(url)}: ${reason}`, { cause })
}
