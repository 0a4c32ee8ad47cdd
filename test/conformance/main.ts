import { parseArgs } from 'node:util'
import { allChecks } from './all-checks.ts'
import { describeCheck, formatResults, summarize, toJson } from './report.ts'
import { type Result, runChecks } from './run.ts'
import { DEFAULT_SETTINGS, type Settings } from './scene.ts'

const USAGE = `Checks a SignalR server that serves the conformance hub. See docs/conformance.md.

  npm run conformance -- --url http://127.0.0.1:5000

  --url URL             where the server is
  --only PATTERN        only checks whose id or title matches this regular expression
  --list                names the checks, and runs none
  --json                results, or the list, as JSON
  --keep-alive-s N      the server's keep-alive interval (15)
  --client-timeout-s N  its client timeout (30)
  --poll-s N            its poll timeout (90)
  --disconnect-s N      its disconnect timeout (15)
  --detailed            it runs with detailed errors
  --pid N               its process, which the last check ends by SIGTERM; left out: that check is skipped
  --other-url URL       another node that serves the same without sticky sessions; left out: those checks are skipped
  --other-pid N         its process, which is killed to see what becomes of its connections; left out: skipped
  --concurrency N       checks beside each other (16)

Ends with 1 where a required check fails, with 2 where it was called wrongly.`

const options = {
  url: { type: 'string' },
  only: { type: 'string' },
  list: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  'keep-alive-s': { type: 'string' },
  'client-timeout-s': { type: 'string' },
  'poll-s': { type: 'string' },
  'disconnect-s': { type: 'string' },
  detailed: { type: 'boolean', default: false },
  pid: { type: 'string' },
  'other-url': { type: 'string' },
  'other-pid': { type: 'string' },
  concurrency: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

try {
  process.exitCode = await main(parseArgs({ options }).values)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}

async function main(values: Values): Promise<number> {
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const pattern = new RegExp(values.only ?? '')
  const checks = allChecks.filter(({ id, title }) => pattern.test(id) || pattern.test(title))
  if (values.list) {
    const list = checks.map(({ id, category, title }) => ({ id, category, title }))
    console.log(values.json ? JSON.stringify(list, null, 2) : checks.map(describeCheck).join('\n'))
    return 0
  }
  if (!values.url) throw new Error(USAGE)
  const url = new URL(values.url)
  let done = 0
  const onResult = ({ check, outcome, ms }: Result): void => {
    console.error(`${String(++done).padStart(3)}/${checks.length}  ${outcome}  ${check.id}  ${ms} ms`)
  }
  const concurrency =
    values.concurrency === undefined ? {} : { concurrency: toNumber('concurrency', values.concurrency) }
  const results = await runChecks({ url, settings: toSettings(values), checks, onResult, ...concurrency })
  console.log(values.json ? JSON.stringify(toJson(url, results), null, 2) : formatResults(results))
  return summarize(results).failed.required > 0 ? 1 : 0
}

function toSettings(values: Values): Settings {
  const milliseconds = (name: keyof Values & `${string}-s`, byDefault: number): number => {
    const text = values[name]
    return text === undefined ? byDefault : toNumber(name, text) * 1000
  }
  return {
    keepAliveMs: milliseconds('keep-alive-s', DEFAULT_SETTINGS.keepAliveMs),
    clientTimeoutMs: milliseconds('client-timeout-s', DEFAULT_SETTINGS.clientTimeoutMs),
    pollTimeoutMs: milliseconds('poll-s', DEFAULT_SETTINGS.pollTimeoutMs),
    disconnectMs: milliseconds('disconnect-s', DEFAULT_SETTINGS.disconnectMs),
    detailedErrors: values.detailed,
    pid: values.pid === undefined ? undefined : toNumber('pid', values.pid),
    otherUrl: values['other-url'] === undefined ? undefined : new URL(values['other-url']),
    otherPid: values['other-pid'] === undefined ? undefined : toNumber('other-pid', values['other-pid']),
  }
}

function toNumber(name: string, text: string): number {
  const number = Number(text)
  if (text === '' || !Number.isFinite(number) || number <= 0)
    throw new Error(`--${name} needs a number above 0; it is '${text}'.`)
  return number
}
