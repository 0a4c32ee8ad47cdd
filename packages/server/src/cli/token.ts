import type { Command } from 'commander'
import { signUserToken } from '../auth/user-tokens.ts'
import { createOutput } from './output.ts'
import { SettingError } from './settings.ts'

/** `serverchannel token`: a user token for trying things out and for scripts. */
export function addToken(program: Command): void {
  program
    .command('token')
    .description('Make a token that a user connects with, signed with SERVERCHANNEL_USER_TOKEN_SECRET.')
    .requiredOption('--user <id>', 'the user')
    .option('--group <name,...>', 'groups that the user is in')
    .option('--ttl-s <seconds>', 'how long it is valid', Number, 3600)
    .option('--audience <aud>', "the token's 'aud' [env: SERVERCHANNEL_USER_TOKEN_AUDIENCE], default serverchannel")
    .option('--issuer <iss>', "the token's 'iss' [env: SERVERCHANNEL_USER_TOKEN_ISSUER]")
    .option('--json', 'print it as JSON')
    .action(token)
}

interface TokenFlags {
  readonly user: string
  readonly group?: string
  readonly ttlS: number
  readonly audience?: string
  readonly issuer?: string
  readonly json?: boolean
}

async function token({ user, group, ttlS, audience, issuer, json }: TokenFlags): Promise<void> {
  const { env } = process
  const secret = env['SERVERCHANNEL_USER_TOKEN_SECRET']
  if (!secret) throw new SettingError('Set SERVERCHANNEL_USER_TOKEN_SECRET to the secret that the server has.')
  if (!(ttlS > 0)) throw new SettingError(`--ttl-s needs to be a number of seconds above 0; it is '${ttlS}'.`)
  const iss = issuer ?? env['SERVERCHANNEL_USER_TOKEN_ISSUER']
  const signed = await signUserToken(
    {
      secret,
      audience: audience ?? env['SERVERCHANNEL_USER_TOKEN_AUDIENCE'] ?? 'serverchannel',
      ...(iss ? { issuer: iss } : {}),
    },
    user,
    ttlS,
    group?.split(',') ?? [],
  )
  createOutput(json === true).result({ token: signed, user, ttlS }, signed)
}
