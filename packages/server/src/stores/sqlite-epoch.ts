import { readFileSync, statSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Database } from './sqlite-database.ts'
import { createEpoch, FileDamaged } from './sqlite-file.ts'

interface LastLife {
  readonly epoch: string
  readonly machine_life: string
  readonly file_identity: string
  readonly durability: string
  readonly is_closed: number
}

/** Which life of the log this is. */
export interface EpochFound {
  readonly epoch: string
  /** Why it is another one than last time; undefined where it is not. */
  readonly reason: string | undefined
}

/**
 * The log goes on in its epoch, unless entries that somebody saw may be gone: then it gets another one.
 *
 * To be called once after opening, before anything is appended, and with full syncs: what it writes is what the next
 * opening goes by.
 *
 * @throws FileDamaged
 */
export function continueEpoch(database: Database, file: string, durability: 'logged' | 'synced'): EpochFound {
  const last = database.prepare('SELECT * FROM log WHERE one = 1').get() as LastLife | undefined
  if (!last || typeof last.epoch !== 'string' || last.epoch === '')
    throw new FileDamaged('The row of the log is missing.')
  const machine = machineLife()
  const identity = fileIdentity(file)
  const reason = whyAnother(last, machine, identity)
  const epoch = reason === undefined ? last.epoch : createEpoch()
  database
    .prepare('UPDATE log SET epoch = ?, machine_life = ?, file_identity = ?, durability = ?, is_closed = 0')
    .run(epoch, machine, identity, durability)
  return { epoch, reason }
}

function whyAnother(last: LastLife, machine: string, identity: string): string | undefined {
  // Never open before.
  if (last.machine_life === '') return undefined
  if (last.file_identity !== identity)
    return 'The file is a copy: the log may have gone on elsewhere since it was made.'
  if (last.is_closed === 1 || last.durability === 'synced' || last.machine_life === machine) return undefined
  return "The machine went down while the log was open at the level 'logged': its newest entries may be lost."
}

/** Another one than last time: what the operating system had not written yet may be lost. */
function machineLife(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Where there is none, the time of the start, as exactly as a clock that is set now and then allows.
    return `started ${Math.round((Date.now() / 1000 - uptime()) / CLOCK_STEP_SECONDS)}`
  }
}

const CLOCK_STEP_SECONDS = 300

/** Another one than last time: the file is a copy, such as one that was kept as a backup. */
function fileIdentity(file: string): string {
  return String(statSync(file).ino)
}
