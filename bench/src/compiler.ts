import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from './flags.ts'

/** The folder of the benchmark, whether this runs from its sources or from `dist`. */
const benchFolder = fileURLToPath(new URL('..', import.meta.url))
const buildFolder = join(benchFolder, 'build')

/** Where the reference driver and the C server stand, where there are any. */
const referenceFolder = join(benchFolder, '..', '..', 'shared', 'bench')

/** Compiles the load driver where that has not been done; gives its path. */
export function compileDriver(): string {
  const folder = join(benchFolder, 'driver')
  const files = readdirSync(folder).map((file) => join(folder, file))
  const sources = files.filter((file) => file.endsWith('.c'))
  return compile('driver', sources, files, ['-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra'], ['-lm'])
}

/** Compiles a program of the reference folder; undefined where there is no such folder. */
export function compileReference(program: 'wsfan' | 'cbcast'): string | undefined {
  const source = join(referenceFolder, `${program}.c`)
  if (!existsSync(source)) return undefined
  return compile(program, [source], [source], ['-march=native'], [])
}

export function hasReference(program: 'wsfan' | 'cbcast'): boolean {
  return existsSync(join(referenceFolder, `${program}.c`))
}

/** Why the driver cannot be compiled here; undefined where it can. */
export function missingForDriver(): string | undefined {
  if (process.platform !== 'linux') {
    return `The load driver needs Linux (epoll, /proc); this is ${process.platform}. Run the benchmark in a container or on Linux.`
  }
  if (findCompiler() !== undefined) return undefined
  return (
    'The load driver needs a C compiler (cc, gcc or clang). Install one: "apt-get install gcc libc6-dev" on Debian ' +
    'and Ubuntu, "apk add gcc musl-dev" on Alpine, "dnf install gcc" on Fedora. Or name one in the variable CC.'
  )
}

function findCompiler(): string | undefined {
  const names = process.env['CC'] ? [process.env['CC']] : ['cc', 'gcc', 'clang']
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
}

function compile(name: string, sources: string[], inputs: string[], flags: string[], libraries: string[]): string {
  const program = join(buildFolder, name)
  const newest = Math.max(...inputs.map((file) => statSync(file).mtimeMs))
  if (existsSync(program) && statSync(program).mtimeMs >= newest) return program
  const missing = missingForDriver()
  if (missing !== undefined) throw new UsageError(missing)
  mkdirSync(buildFolder, { recursive: true })
  // Renamed when complete, so that two that compile at the same time do not run half a program.
  const unfinished = `${program}.${process.pid}`
  const compiler = findCompiler() ?? 'cc'
  const result = spawnSync(compiler, ['-O3', ...flags, '-o', unfinished, ...sources, ...libraries], {
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new UsageError(`${compiler} cannot compile ${name}:\n${result.stderr}`)
  renameSync(unfinished, program)
  return program
}
