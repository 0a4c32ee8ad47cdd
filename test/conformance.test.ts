import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { allChecks } from './conformance/all-checks.ts'
import { ConformanceServer, runSuite, SHORT_TIMES, startNodes } from './support/conformance-process.ts'

interface Report {
  readonly summary: { readonly passed: number; readonly skipped: number }
  readonly checks: readonly {
    readonly id: string
    readonly outcome: string
    readonly expected?: string
    readonly got?: string
    readonly reason?: string
  }[]
}

/** What the server is known not to do yet; docs/conformance.md says so. One that is mended has to leave this list. */
const KNOWN_FAILURES: readonly string[] = []

const TIMES = [
  ['--keep-alive-s', String(SHORT_TIMES.keepAliveMs / 1000)],
  ['--client-timeout-s', String(SHORT_TIMES.clientTimeoutMs / 1000)],
  ['--poll-s', String(SHORT_TIMES.pollTimeoutMs / 1000)],
].flat()

async function check(
  server: ConformanceServer,
  args: readonly string[] = [],
): Promise<Report & { code: number | null }> {
  const { code, out, err } = await runSuite(['--url', server.url.href, '--json', ...TIMES, ...args])
  if (out === '') throw new Error(err)
  return { code, ...(JSON.parse(out) as Report) }
}

const failuresOf = ({ checks }: Report) => checks.filter(({ outcome }) => outcome === 'fail')
/** What takes another node to see. */
const NODE_CHECKS = allChecks.map(({ id }) => id).filter((id) => id.startsWith('0.8.'))

describe('the conformance server', () => {
  it('passes every check that it is not known to fail, improvements included, and ends when it is told to', async () => {
    await using server = await ConformanceServer.start()
    const report = await check(server, ['--pid', String(server.pid)])
    const unexpected = failuresOf(report).filter(({ id }) => !KNOWN_FAILURES.includes(id))
    expect(unexpected).toEqual([])
    expect(failuresOf(report).map(({ id }) => id)).toEqual(KNOWN_FAILURES)
    expect(report.checks.map(({ id }) => id)).toEqual(allChecks.map(({ id }) => id))
    const skipped = report.checks.filter(({ outcome }) => outcome === 'skip')
    expect(skipped.map(({ id }) => id)).toEqual(NODE_CHECKS)
    const isRequired = allChecks.some(({ id, category }) => category === 'required' && KNOWN_FAILURES.includes(id))
    expect(report.code).toBe(isRequired ? 1 : 0)
    expect(await server.exit()).toBe(0)
  }, 120_000)

  it('needs no sticky sessions where it is several nodes, and does not mourn one that dies', async () => {
    const nodes = await startNodes()
    await using server = nodes[0]
    await using other = nodes[1]
    const args = ['--other-url', other.url.href, '--other-pid', String(other.pid), '--only', '^0\\.8']
    const report = await check(server, args)
    expect(report.checks.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual(NODE_CHECKS.map((id) => `${id} pass`))
    expect(await other.exit()).toBe('SIGKILL')
  }, 60_000)

  it('says more where it is to tell the text of errors', async () => {
    await using server = await ConformanceServer.start({ PEER_DETAILED: '1' })
    const report = await check(server, ['--detailed', '--only', '^(?:2\\.9|J3|K2\\.[1-6]$)'])
    expect(report.checks.length).toBeGreaterThan(70)
    expect(failuresOf(report)).toEqual([])
    // The same checks find the difference: they are not blind to it.
    const plain = await check(server, ['--only', '^(?:2\\.9\\.[2356]|J3\\.11)'])
    expect(plain.code).toBe(1)
    expect(new Set(plain.checks.map(({ outcome }) => outcome))).toEqual(new Set(['fail']))
  }, 60_000)
})

describe('the command', () => {
  it('names its checks, and only those that are wanted', async () => {
    const { code, out } = await runSuite(['--list', '--only', '^N1'])
    expect(code).toBe(0)
    expect(out.split('\n').filter(Boolean)).toHaveLength(allChecks.filter(({ id }) => id.startsWith('N1')).length)
    expect(out).toContain('N1.1         required    answers POST {hub}/negotiate with 200')
  })

  it('ends with 1 where there is no server, and with 2 where it is called wrongly', async () => {
    // Nothing listens on the port of a discarded service that no system of today offers.
    const unserved = await runSuite(['--url', 'http://127.0.0.1:9', '--only', '^N1.1$'])
    expect(unserved.code).toBe(1)
    expect(unserved.out).toContain('✘ N1.1')
    for (const args of [[], ['--nonsense'], ['--url', 'http://127.0.0.1:9', '--poll-s', 'x'], ['--url', 'nowhere']]) {
      const { code, err } = await runSuite(args)
      expect(code).toBe(2)
      expect(err).not.toBe('')
    }
  })

  it('skips what would take too long, and says so', async () => {
    const { out } = await runSuite(['--url', 'http://127.0.0.1:9', '--only', '^L2.5$', '--poll-s', '90'])
    expect(out).toContain("skipped: it would take 90 s; set the server's times shorter")
  })
})

describe('docs/conformance.md', () => {
  const text = readFileSync(fileURLToPath(new URL('../docs/conformance.md', import.meta.url)), 'utf8')

  it('lists exactly the checks that there are', () => {
    const rows = text
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.slice(2, -2).split(' | '))
    expect(rows.map(([id, category, title]) => [id, category, title])).toEqual(
      allChecks.map(({ id, category, title }) => [`\`${id}\``, category, title]),
    )
  })

  it('says of each check what the suite says', () => {
    const idsOf = (result: string): string[] =>
      text
        .split('\n')
        .filter((line) => line.startsWith('| `') && line.split(' | ')[3] === result)
        .map((line) => line.slice(3, line.indexOf('`', 3)))
    expect(idsOf('**fail**')).toEqual(KNOWN_FAILURES)
    expect(idsOf('pass')).toHaveLength(allChecks.length - KNOWN_FAILURES.length)
  })

  it('knows every check by a name of its own', () => {
    const ids = allChecks.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })
})
