import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const LINES_MAX = 500

interface Import {
  readonly file: string
  readonly from: string
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('/dist/') && !file.includes('node_modules'))
}

/** What a file imports: packages by name, own files by their path from the root. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = text.matchAll(
    /^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gms,
  )
  return [...found].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? ''
    return { file, from: name.startsWith('.') ? relative(root, join(root, file, '..', name)) : name }
  })
}

const graph = sources('packages')
  .filter((file) => file.includes('/src/'))
  .flatMap(importsOf)

/** Imports of files under a folder that no pattern allows. */
function strangers(folder: string, allowed: readonly RegExp[]): string[] {
  return graph
    .filter(({ file }) => file.startsWith(folder))
    .filter(({ from }) => !allowed.some((pattern) => pattern.test(from)))
    .map(({ file, from }) => `${file} imports ${from}`)
}

const server = 'packages/server/src'
const inServer = (folders: string): RegExp => new RegExp(`^${server}/(?:${folders})/`)
const OPTIONS = new RegExp(`^${server}/options\\.ts$`)
const CLOCK = new RegExp(`^${server}/system-clock\\.ts$`)
const PROTOCOL = /^@serverchannel\/protocol(?:\/messagepack)?$/
const NATIVE = /^@serverchannel\/native$/
const NODE = /^node:/

describe('imports', () => {
  it('are found at all', () => {
    expect(graph.length).toBeGreaterThan(100)
    expect(graph.some(({ from }) => from.startsWith(`${server}/channel/`))).toBe(true)
  })

  it('keep the protocol pure', () => {
    expect(
      strangers('packages/protocol/src', [
        /^packages\/protocol\/src\//,
        /^@msgpack\/msgpack$/,
        /^@standard-schema\/spec$/,
      ]),
    ).toEqual([])
  })

  it('let the client know the protocol only, and a framework where it is for that', () => {
    const own = [/^packages\/client\/src\//, PROTOCOL]
    const frameworks = /^(react|vue|svelte|svelte\/store|@angular\/core)$/
    expect(strangers('packages/client/src', [...own, frameworks])).toEqual([])
    for (const folder of ['testing', 'terrasoft', 'eslint']) {
      expect(strangers(`packages/client/src/${folder}`, own)).toEqual([])
    }
  })

  it('keep sockets, databases and clocks out of the decisions', () => {
    expect(strangers(`${server}/channel`, [inServer('channel'), PROTOCOL])).toEqual([])
  })

  it.each([
    [
      'stores',
      [
        inServer('stores|channel'),
        PROTOCOL,
        NODE,
        /^libsql$/,
        /^pg$/,
        /^ioredis$/,
        /^@nats-io\/(?:jetstream|transport-node)$/,
      ],
    ],
    ['outbox', [inServer('outbox|stores|channel'), PROTOCOL, NODE, /^pg$/, /^mysql2\/promise$/]],
    ['auth', [inServer('auth|channel'), OPTIONS, NODE, /^jose$/]],
    ['hub', [inServer('hub|channel'), OPTIONS, PROTOCOL, NODE]],
    ['transports', [inServer('transports|hub|auth|channel'), OPTIONS, PROTOCOL, NODE, /^ws$/, /^pino$/, NATIVE]],
    ['workers', [inServer('workers|transports|hub|stores|channel'), OPTIONS, CLOCK, PROTOCOL, NODE, /^pino$/]],
    ['cluster', [inServer('cluster|hub|channel'), PROTOCOL, NODE]],
    ['http', [inServer('http|transports|auth|channel'), OPTIONS, PROTOCOL, NODE, /^zod$/, /^pino$/]],
  ])('go down only from %s', (folder, allowed) => {
    expect(strangers(`${server}/${folder}/`, allowed)).toEqual([])
  })

  it('let nobody but the command use the command, and nobody but it the client', () => {
    const users = graph.filter(({ file }) => file.startsWith(server) && !file.startsWith(`${server}/cli/`))
    expect(users.filter(({ from }) => from.startsWith(`${server}/cli/`) || from === '@serverchannel/client')).toEqual(
      [],
    )
  })

  it('make no circle among the files of a package', () => {
    const next = new Map<string, string[]>()
    for (const { file, from } of graph) next.set(file, [...(next.get(file) ?? []), from])
    const circles: string[] = []
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
        return
      }
      if (done.has(file)) return
      for (const other of next.get(file) ?? []) visit(other, [...path, file])
      done.add(file)
    }
    const done = new Set<string>()
    for (const file of next.keys()) visit(file, [])
    expect(circles).toEqual([])
  })
})

describe('files', () => {
  const all = ['packages', 'examples', 'bench', 'test'].flatMap(sources)

  it(`have at most ${LINES_MAX} lines`, () => {
    const lines = (file: string): number => readFileSync(join(root, file), 'utf8').split('\n').length
    expect(all.filter((file) => lines(file) > LINES_MAX)).toEqual([])
  })

  it('have names of lower-case words', () => {
    expect(all.filter((file) => !/^[a-z\d-]+(?:\.(?:test|config))?\.ts$/.test(file.split('/').at(-1) ?? ''))).toEqual(
      [],
    )
  })

  it('use none of the words that the design rules out', () => {
    const ruledOut =
      /(?:class|interface|function|const) \w*(?:Manager|Service|Helper|Util|Abstract|Impl|Broker|Packet|Publish|Broadcast)/
    // The original's own names stand in the files that offer them.
    const code = all.filter((file) => file.includes('/src/') && !file.includes('terrasoft'))
    expect(code.filter((file) => ruledOut.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
  })
})
