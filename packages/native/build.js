// Compiles the addon with the C compiler that is there. Where that fails it says why and ends well: the server does
// without. Run by `npm install`, and again by hand after a change.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = dirname(fileURLToPath(import.meta.url))
const source = join(folder, 'src/send_all.c')
const target = join(folder, 'build/send_all.node')
const compilers = process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang']

if (process.platform !== 'linux') without(`it is for Linux, and this is ${process.platform}`)
else if (!existsSync(target) || statSync(target).mtimeMs < statSync(source).mtimeMs) compile()

function compile() {
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir
  // Whoever has loaded the old one keeps it.
  const made = `${target}.${process.pid}`
  const args = ['-O2', '-shared', '-fPIC', '-Wall', '-Wextra', '-I', headers, '-o', made, source]
  mkdirSync(dirname(target), { recursive: true })
  for (const compiler of compilers) {
    const { error, status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' })
    if (error) continue
    if (status === 0) renameSync(made, target)
    else without(`${compiler} failed:\n${stderr}`)
    return
  }
  without(`there is no C compiler (looked for ${compilers.join(', ')})`)
}

function without(reason) {
  console.error(`@serverchannel/native was not built: ${reason}. ServerChannel works without it.`)
}
