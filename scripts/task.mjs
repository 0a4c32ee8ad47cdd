// The project's tasks on a machine that has only Node and npm: each installs from the lockfile and builds first where
// that has not been done. Plain JavaScript without dependencies, because it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_OLDEST = [20, 19]
const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

const tasks = {
  start,
  test,
  check,
  api,
  bench,
  fuzz,
  conformance,
  'conformance-server': conformanceServer,
  build,
  format,
}
const [name = '', ...taskArgs] = process.argv.slice(2)
const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined
if (!task) fail(`There is no task "${name}". Tasks: ${Object.keys(tasks).join(', ')}.`)
requireNode()
await task(taskArgs)

async function start() {
  install()
  build()
  // In this process, so that signals reach the example itself.
  await import(join(root, 'examples/crm/dist/main.js'))
}

function test(args) {
  install()
  build()
  run('vitest', ['run', ...args])
}

/** Format, lint, types, import graph and package checks; then the tests, unless told that they ran already. */
function check(args) {
  install()
  build()
  const steps = [
    ['format and import order', 'biome', ['check', '.']],
    ['lint, type-aware', 'oxlint', ['--type-aware', '--deny-warnings', '.']],
    ['types of tests', 'tsc', ['-p', 'test/tsconfig.json']],
    ['unused files, exports, dependencies', 'knip', []],
    ['package protocol', 'publint', ['--strict', 'packages/protocol']],
    ['package native', 'publint', ['--strict', 'packages/native']],
    ['package client', 'publint', ['--strict', 'packages/client']],
    ['package server', 'publint', ['--strict', 'packages/server']],
  ]
  for (const [title, command, commandArgs] of steps) {
    console.log(`\n▸ ${String(title)}`)
    run(command, commandArgs)
  }
  console.log('\n▸ what the packages offer, against docs/api')
  runNode(['scripts/api-report.mjs'])
  if (!args.includes('--without-tests')) run('vitest', ['run'])
  console.log('\ncheck: all is well')
}

/** Brings docs/api up to date with what the packages offer. */
function api() {
  install()
  build()
  runNode(['scripts/api-report.mjs', '--write'])
}

function bench(args) {
  install()
  build()
  runNode(['bench/dist/main.js', ...args])
}

function fuzz(args) {
  install()
  build()
  runNode(['packages/protocol/fuzz/dist/fuzz/main.js', ...args])
}

/** Runs the conformance suite against a server: `npm run conformance -- --url http://127.0.0.1:5000`. */
function conformance(args) {
  install()
  build()
  runNode(['test/conformance/dist/main.js', ...args])
}

async function conformanceServer() {
  install()
  build()
  // In this process, so that signals reach the server itself.
  await import(join(root, 'test/conformance/dist/server.js'))
}

function build() {
  // With `--json` nothing but the results goes to standard output.
  console.error('Building …')
  runNode(['packages/native/build.js'])
  run('tsc', ['-b', '--pretty'])
  const sources = [
    'packages/client/src',
    'packages/client/tsdown.config.ts',
    'packages/protocol/src',
    'package-lock.json',
  ]
  const stamp = 'packages/client/dist/.built'
  if (existsSync(stamp) && newest(sources) <= statSync(stamp).mtimeMs) return
  run('tsdown', ['--logLevel', 'error'], 'packages/client')
  writeFileSync(stamp, '')
}

function format() {
  install()
  run('biome', ['check', '--write', '.'])
}

/** Installs what the lockfile says, once for each state of the lockfile. */
function install() {
  const stamp = 'node_modules/.cache/serverchannel-lock'
  const wanted = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.error('Installing the dependencies from the lockfile (once) …')
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) fail('npm ci failed; its message is above. Is the npm registry reachable?')
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [oldestMajor, oldestMinor] = NODE_OLDEST
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return
  fail(`ServerChannel needs Node ${oldestMajor}.${oldestMinor} or newer; this is ${process.versions.node}.`)
}

function newest(paths) {
  let time = 0
  for (const path of paths) {
    const stat = statSync(path)
    const children = stat.isDirectory() ? readdirSync(path).map((child) => join(path, child)) : []
    time = Math.max(time, stat.mtimeMs, newest(children))
  }
  return time
}

/** Runs an installed tool; ends this process with its exit code if it fails. */
function run(tool, toolArgs, cwd = '.') {
  const manifest = JSON.parse(readFileSync(join('node_modules', packageOf(tool), 'package.json'), 'utf8'))
  const bin = typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[tool]
  runNode([join(root, 'node_modules', packageOf(tool), bin), ...toolArgs], cwd)
}

function packageOf(tool) {
  return { tsc: 'typescript', biome: '@biomejs/biome' }[tool] ?? tool
}

function runNode(nodeArgs, cwd = '.') {
  const result = spawnSync(process.execPath, nodeArgs, { stdio: 'inherit', cwd })
  if (result.status !== 0) process.exit(result.status ?? 1)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
