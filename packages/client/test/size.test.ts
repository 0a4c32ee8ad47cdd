// What a page loads for what it uses, gzip: bundled and minified as users' own tools do it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const KIB = 1024
const root = fileURLToPath(new URL('../../..', import.meta.url))
const source = join(root, 'packages/client/src')
const tsdown = join(root, 'node_modules/tsdown/dist/run.mjs')

/** Each row of the README's table: its program, and the budget in KiB; of others' there is none. */
const programs = {
  'connect over WebSockets only': [`import { connect } from '${source}/websocket.ts'; connect()`, 5],
  'connect over all transports': [`import { connect } from '${source}/index.ts'; connect()`, 8],
  'connect and connectHub': [
    `import { connect, connectHub } from '${source}/index.ts'; connect(); connectHub('/x')`,
    9,
  ],
  'connect with MessagePack': [
    `import { connect } from '${source}/index.ts'; import { messagePack } from '${source}/messagepack.ts'; connect('/msg', { codec: messagePack })`,
    18,
  ],
  'Creatio’s names, all transports': [
    `import { createTerrasoft } from '${source}/terrasoft.ts'; globalThis.T = createTerrasoft()`,
    11,
  ],
  '@microsoft/signalr 10': [
    `import { HubConnectionBuilder } from '@microsoft/signalr'; globalThis.c = new HubConnectionBuilder().withUrl('/msg').withAutomaticReconnect().build()`,
    Infinity,
  ],
} as const satisfies Readonly<Record<string, readonly [string, number]>>

const names = Object.keys(programs) as (keyof typeof programs)[]
let folder: string
const sizes = new Map<string, number>()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'serverchannel-size-'))
  mkdirSync(join(folder, 'out'))
  names.forEach((name, n) => writeFileSync(join(folder, `p${n}.ts`), programs[name][0]))
  const configs = names.map((_, n) => ({
    entry: { [`p${n}`]: join(folder, `p${n}.ts`) },
    outDir: join(folder, 'out'),
    clean: false,
    dts: false,
    platform: 'browser',
    target: 'es2022',
    format: 'esm',
    hash: false,
    minify: true,
    deps: { alwaysBundle: [/./] },
    inputOptions: { resolve: { modules: [join(root, 'node_modules')] } },
    outExtensions: () => ({ js: '.js' }),
  }))
  const text = configs.map((config) => {
    const plain = JSON.stringify({ ...config, deps: undefined })
    return `{ ...${plain}, deps: { alwaysBundle: [/./] }, outExtensions: () => ({ js: '.js' }) }`
  })
  writeFileSync(join(folder, 'tsdown.config.mjs'), `export default [${text.join(',')}]`)
  execFileSync(process.execPath, [tsdown, '--logLevel', 'error', '--config', join(folder, 'tsdown.config.mjs')], {
    cwd: root,
  })
  names.forEach((name, n) => {
    sizes.set(name, gzipSync(readFileSync(join(folder, 'out', `p${n}.js`)), { level: 9 }).length)
  })
})

afterAll(() => {
  rmSync(folder, { recursive: true })
})

const size = (name: keyof typeof programs): number => sizes.get(name) ?? Number.NaN

describe('what a page loads', () => {
  it.each(names)('%s is within its budget', (name) => {
    expect(size(name)).toBeGreaterThan(KIB)
    expect(size(name)).toBeLessThanOrEqual(programs[name][1] * KIB)
  })

  it('Creatio’s names cost 3 KiB at most', () => {
    expect(size('Creatio’s names, all transports') - size('connect over all transports')).toBeLessThanOrEqual(3 * KIB)
  })

  it('is less than two thirds of what the stock client is', () => {
    expect(size('connect over all transports') * 1.5).toBeLessThan(size('@microsoft/signalr 10'))
  })

  it('stands in the README as it is', () => {
    const readme = readFileSync(join(root, 'packages/client/README.md'), 'utf8')
    const rows = [...readme.matchAll(/^\| ([^|]+?) +\| (\d+\.\d) KiB/gm)]
    expect(rows.map(([, name]) => name)).toEqual(names)
    for (const name of names) {
      const said = Number(rows.find((row) => row[1] === name)?.[2])
      expect(Math.abs(said - size(name) / KIB), `${name}: ${size(name)} B`).toBeLessThanOrEqual(0.1)
    }
  })
})
