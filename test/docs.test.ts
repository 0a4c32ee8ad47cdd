import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorKinds, limits } from 'serverchannel'
import { describe, expect, it } from 'vitest'
import { settings } from '../packages/server/src/cli/settings.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** Cells of a Markdown table's rows whose first cell is code. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    )
}

const plain = (cell = ''): string => cell.replaceAll('`', '')

describe('the error catalogue', () => {
  const documented = new Map(rows(read('docs/errors.md')).map(([code, ...rest]) => [plain(code), rest]))

  it('documents every code and no other', () => {
    expect([...documented.keys()].sort()).toEqual(Object.keys(errorKinds).sort())
  })

  it.each(Object.entries(errorKinds))('says of %s what the code does', (code, kind) => {
    const [status, retry, title] = documented.get(code) ?? []
    expect(title).toBe(kind.title)
    expect(retry).toBe(kind.retry ? 'yes' : 'no')
    if (kind.status > 0) expect(status).toBe(String(kind.status))
    else expect(['closes', 'call', 'local']).toContain(status)
  })
})

describe('the options', () => {
  const documented = new Map(rows(read('docs/options.md')).map(([name, ...rest]) => [plain(name), rest]))

  it('are all documented, and no others', () => {
    expect([...documented.keys()].sort()).toEqual(settings.map(({ name }) => name).sort())
  })

  it.each(Object.entries(limits))('%s has its default, range and unit there', (name, limit) => {
    const numbers = [limit.default, limit.min, limit.max].map((value) => value.toLocaleString('en-US'))
    expect(documented.get(name)).toEqual([...numbers, limit.unit, limit.doc])
  })
})

describe('links', () => {
  it.each(pages)('of %s lead somewhere', (page) => {
    const targets = [...read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '')
    for (const target of targets) expect(() => readFileSync(join(root, page, '..', target))).not.toThrow()
  })

  it('name tests that are there, behind each guarantee', () => {
    const named = [...read('docs/guarantees.md').matchAll(/`((?:packages|test)\/[^`]+)`/g)].map(
      (match) => match[1] ?? '',
    )
    expect(named.length).toBeGreaterThan(5)
    for (const file of named) expect([file, existsSync(join(root, file))]).toEqual([file, true])
  })

  it('the README has at most 120 lines', () => {
    expect(read('README.md').split('\n').length).toBeLessThanOrEqual(120)
  })
})
