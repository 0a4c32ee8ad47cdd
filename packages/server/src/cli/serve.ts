import { type Command, Option } from 'commander'
import { pino } from 'pino'
import { isLoopbackAddress } from '../auth/access.ts'
import { userTokens } from '../auth/user-tokens.ts'
import type { ServerChannelOptions } from '../options.ts'
import { createServerChannel } from '../server.ts'
import { withoutPassword } from '../stores/open-store.ts'
import { toNodes } from './node-settings.ts'
import { createOutput, type Output } from './output.ts'
import { asSettings, flagName, readSettings, type Setting, SettingError, settings, variableName } from './settings.ts'

const SECRET_LENGTH_MIN = 32
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent']

/** `serverchannel serve`: a server for pages and posters of any language, on its own. */
export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('Serve a channel: the hub that pages connect to and the web service that posts.')
    .option('--config <file>', 'YAML file of settings, named as the flags in camelCase [env: SERVERCHANNEL_CONFIG]')
    .option('--json', 'print the address as one JSON line')
  for (const setting of settings) command.addOption(toOption(setting))
  command.action(serve)
}

async function serve(flags: Record<string, unknown>): Promise<void> {
  const output = createOutput(flags['json'] === true)
  const config = (flags['config'] ?? process.env['SERVERCHANNEL_CONFIG']) as string | undefined
  const values = readSettings(flags, process.env, config)
  const host = values['host'] as string
  const options = toChannelOptions(values)
  if (options.development && host !== 'localhost' && !isLoopbackAddress(host))
    throw new SettingError(howToAuthenticate(host))
  const channel = await asSettings(() => createServerChannel(options))
  const address = await channel.listen({ host, port: values['port'] as number })
  let isStopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1)
    isStopping = true
    output.note(`${signal}: telling clients to come back, then stopping. Again to stop at once.`)
    void channel.close().then(() => process.exit(0))
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  announce(output, address.url, values, options)
}

function toChannelOptions(values: Readonly<Record<string, unknown>>): ServerChannelOptions {
  const { host, port, nodeName, nodeSecret, nodeUrl, nodeUrls, ...others } = values
  const { userTokenSecret, userTokenAudience, userTokenIssuer, logLevel, ...rest } = others
  if (!LOG_LEVELS.includes(logLevel as string)) {
    throw new SettingError(`'logLevel' is one of ${LOG_LEVELS.join(', ')}; it is '${String(logLevel)}'.`)
  }
  const logger = pino({ level: logLevel as string, base: null }, pino.destination(2))
  const nodes = toNodes({ host, port, nodeName, nodeSecret, nodeUrl, nodeUrls })
  const options: ServerChannelOptions = { ...(rest as ServerChannelOptions), ...(nodes && { nodes }), logger }
  if (typeof userTokenSecret !== 'string') return { ...options, development: true }
  if (userTokenSecret.length < SECRET_LENGTH_MIN) {
    throw new SettingError(
      `'userTokenSecret' has fewer than ${SECRET_LENGTH_MIN} characters; make one with: openssl rand -hex 32`,
    )
  }
  const authenticate = userTokens({
    secret: userTokenSecret,
    audience: userTokenAudience as string,
    ...(typeof userTokenIssuer === 'string' ? { issuer: userTokenIssuer } : {}),
  })
  return { ...options, authenticate }
}

function announce(
  output: Output,
  url: string,
  values: Readonly<Record<string, unknown>>,
  { development = false, apiKeys = [], outbox }: ServerChannelOptions,
): void {
  const hub = `${url}${String(values['path'])}`
  const api = development || apiKeys.length > 0 ? `${url}${String(values['apiPath'])}` : null
  const lines = [
    `ServerChannel serves ${url}`,
    `  hub      ${hub}   pages: <script src="${hub}/serverchannel.js"></script>`,
    `  posting  ${api ?? "off: set 'apiKeys' to let other processes post"}`,
    `  store    ${withoutPassword(String(values['store']))}`,
    ...(outbox === undefined ? [] : [`  outbox   ${withoutPassword(outbox)}`]),
  ]
  if (development) {
    lines.push(
      '  Development mode: this machine only, nobody is asked who he is.',
      '  Try, in two other terminals:',
      `    npx serverchannel listen --url ${url}`,
      `    npx serverchannel post --url ${url} SomeMessageId "My message value"`,
    )
  }
  output.result(
    { url, hub, api, store: withoutPassword(String(values['store'])), development, pid: process.pid },
    lines.join('\n'),
  )
}

function howToAuthenticate(host: string): string {
  return [
    `Without authentication only this machine is served, and '${host}' is beyond it. Set both:`,
    '  SERVERCHANNEL_USER_TOKEN_SECRET   signs the tokens that users connect with; make one: openssl rand -hex 32',
    '  SERVERCHANNEL_API_KEYS            keys for who may post, comma-separated;    make one: openssl rand -hex 24',
    'A token for a user:  npx serverchannel token --user USER   (see docs/authentication.md)',
  ].join('\n')
}

function toOption(setting: Setting): Option {
  const unit = setting.unit ? ` (${setting.unit})` : ''
  const value = setting.kind === 'list' ? '<value,...>' : '<value>'
  const text = `${setting.doc}${unit}${setting.default === undefined ? '' : `, default ${setting.default}`}`
  return new Option(`${flagName(setting.name)} ${value}`, `${text} [env: ${variableName(setting.name)}]`)
}
