import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** What a reader of the results must know about where they come from; no names, no paths. */
export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  kernel: string
  node: string
  /** Load of the minute before the run: above 0.5, something else was running. */
  loadBefore: number
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  }
}

/** The cores that the server and the driver have to themselves; undefined: they run where the kernel puts them. */
export interface Cores {
  server: number | undefined
  driver: number | undefined
  /** Why they are not pinned. */
  note: string | undefined
}

export function chooseCores(): Cores {
  const [server, driver] = allowedCores()
  const unpinned = { server: undefined, driver: undefined }
  if (server === undefined || driver === undefined) {
    return { ...unpinned, note: 'not pinned: server and driver share the only core, so rates are too low' }
  }
  if (spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status !== 0) {
    return { ...unpinned, note: 'not pinned: there is no taskset (package util-linux), so figures vary more' }
  }
  return { server, driver, note: undefined }
}

/** The command that runs a program on one core. */
export function pinned(core: number | undefined, program: string, programArgs: readonly string[]): [string, string[]] {
  if (core === undefined) return [program, [...programArgs]]
  return ['taskset', ['-c', String(core), program, ...programArgs]]
}

/** The hard limit on open files; servers and driver raise their own limit to it. */
export function openFilesMax(): number {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  return limit === undefined || limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
}

/** From a list such as `0-3,8`. */
function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}
