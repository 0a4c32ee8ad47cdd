import { compileDriver, missingForDriver } from '../bench/src/compiler.ts'
import { channelClient } from '../bench/src/contender.ts'
import { type DriverOptions, type DriverReport, type PhaseReport, runDriver } from '../bench/src/driver.ts'

export const CONNECTIONS = 20

/** Why the tests of the load driver can't run here. */
export const missing = missingForDriver()
if (missing !== undefined) {
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`The tests of the load driver are skipped: ${missing}`)
}

// Here, so that the time for it is no test's.
const driver = missing === undefined ? compileDriver() : ''

/** Runs the driver against the server at this port, with 20 clients. */
export function drive({ port }: { port: number }, options: Partial<DriverOptions>): Promise<DriverReport> {
  return runDriver(driver, {
    port,
    connections: CONNECTIONS,
    settleMs: 0,
    // Long enough for a machine that is busy with other tests.
    stallMs: 2000,
    phase: [],
    ...options,
  })
}

/** Clients of the channel, in JSON over WebSockets, and posts to all. */
export function channelOptions({ port }: { port: number }): Partial<DriverOptions> {
  return { ...channelClient, postHttp: port, postBefore: '{"sender":"bench","body":"', postAfter: '"}' }
}

type Counts = Pick<
  PhaseReport,
  'posted' | 'deliveries' | 'lost' | 'doubled' | 'outOfOrder' | 'late' | 'unknown' | 'wrong'
>

export function countsOf(phase: PhaseReport): Counts {
  const { posted, deliveries, lost, doubled, outOfOrder, late, unknown, wrong } = phase
  return { posted, deliveries, lost, doubled, outOfOrder, late, unknown, wrong }
}

/** What a phase gives in which each connection gets so many messages or answers, but for what is said here. */
export function counts(posted: number, differences: Partial<Counts> = {}): Counts {
  const deliveries = posted * CONNECTIONS
  return { posted, deliveries, lost: 0, doubled: 0, outOfOrder: 0, late: 0, unknown: 0, wrong: 0, ...differences }
}
