// Rewrites package-lock.json from the package.json files, complete for every platform.
//
// npm leaves a platform's optional package out of the lockfile when the registry in use does not carry it, and `npm ci`
// then refuses that very lockfile. So each optional dependency that is missing is entered with the version its parent
// pins and the platform its name says; npm installs it only on that platform.
//
// In a folder without node_modules: of what is installed npm knows no checksums, and would leave them out.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const SYSTEMS = [
  'android',
  'darwin',
  'freebsd',
  'netbsd',
  'openbsd',
  'sunos',
  'aix',
  'linux',
  'openharmony',
  'win32',
  'none',
]
const PROCESSORS = ['x64', 'arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'wasm32']

const folder = mkdtempSync(join(tmpdir(), 'serverchannel-lockfile-'))
for (const file of ['.npmrc', 'package.json', ...workspaces()]) {
  if (!existsSync(file)) continue
  mkdirSync(join(folder, dirname(file)), { recursive: true })
  copyFileSync(file, join(folder, file))
}
const npmArgs = ['install', '--package-lock-only', '--ignore-scripts', '--loglevel=error']
execFileSync('npm', npmArgs, { cwd: folder, stdio: 'inherit' })
const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
rmSync(folder, { recursive: true })
const missing = Object.entries(lock.packages).filter(
  ([path, { link, integrity }]) => path.includes('node_modules/') && !link && !integrity,
)
if (missing.length > 0) throw new Error(`No checksum of ${missing.map(([path]) => path).join(', ')}`)
let added = 0
for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(parent.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || lock.packages[`${path}/node_modules/${name}`]) continue
    const entry = { version: range.replace(/^[~^=]/, '') }
    const parts = name.split(/[-/]/)
    const cpu = PROCESSORS.filter((part) => parts.includes(part))
    const os = SYSTEMS.filter((part) => parts.includes(part))
    if (cpu.length === 0 && os.length === 0 && name !== 'fsevents')
      throw new Error(`${name}: its platform can't be told from its name`)
    if (cpu.length > 0) entry.cpu = cpu
    if (parent.dev) entry.dev = true
    if (parts.includes('gnu') && os.includes('linux')) entry.libc = ['glibc']
    if (parts.includes('musl')) entry.libc = ['musl']
    entry.optional = true
    entry.os = name === 'fsevents' ? ['darwin'] : os.length > 0 ? os : undefined
    lock.packages[`node_modules/${name}`] = entry
    added++
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1))
lock.packages = Object.fromEntries(sorted)
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`)
console.log(`package-lock.json: ${sorted.length} packages, ${added} of them optional ones of other platforms`)

/** Their package.json files. */
function workspaces() {
  const patterns = JSON.parse(readFileSync('package.json', 'utf8')).workspaces
  return patterns.flatMap((pattern) => {
    if (!pattern.endsWith('/*')) return [join(pattern, 'package.json')]
    const parent = pattern.slice(0, -2)
    return readdirSync(parent).map((name) => join(parent, name, 'package.json'))
  })
}
