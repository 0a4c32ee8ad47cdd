import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const ADVISORY = /CVE-\d{4}-\d+|GHSA(?:-\w{4}){3}/g

interface Row {
  readonly name: string
  readonly advisories: readonly string[]
  /** The tests that it names: a file, and titles in it. */
  readonly tests: readonly { readonly file: string; readonly titles: readonly string[] }[]
}

const rows: readonly Row[] = read('docs/threats.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
  .map((line) => ({
    name: line.split(' | ')[0]?.slice(2) ?? '',
    advisories: line.split(' | ')[0]?.match(ADVISORY) ?? [],
    tests: [...line.matchAll(/`((?:packages|test)\/[^`]+)`(?:: ((?:"[^"]+"(?:, )?)+))?/g)].map(
      ([, file = '', titles = '']) => ({
        file,
        titles: [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title),
      }),
    ),
  }))
const held = rows.filter(({ tests }) => tests.length > 0)

describe('docs/threats.md', () => {
  it('has rows, each with a test or a reason', () => {
    expect(held.length).toBeGreaterThan(40)
    const others = rows.filter(({ tests, advisories }) => tests.length === 0 && advisories.length === 0)
    expect(new Set(others.map(({ name }) => name))).toEqual(new Set(['Advisory', 'Rule', 'What']))
  })

  it.each(held)('names tests that are there: $name', ({ advisories, tests }) => {
    const texts = tests.map(({ file }) => read(file))
    for (const id of advisories) {
      // In the title of a test, not in a comment.
      const isTitle = texts.some((text) => new RegExp(`['"\`][^'"\`\n]*${id}[^\n]*['"\`]`).test(text))
      expect([id, isTitle]).toEqual([id, true])
    }
    for (const [index, { titles }] of tests.entries()) {
      for (const title of titles) expect([title, texts[index]?.includes(title)]).toEqual([title, true])
    }
    expect(advisories.length + tests.flatMap(({ titles }) => titles).length).toBeGreaterThan(0)
  })

  it('names every advisory that a test is named by', () => {
    const folders = ['packages/server/test', 'packages/protocol/test']
    const inTests = folders.flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((name) => name.endsWith('.test.ts'))
        .flatMap((name) => read(`${folder}/${name}`).match(ADVISORY) ?? []),
    )
    const inDoc = new Set(rows.flatMap(({ advisories }) => advisories))
    expect([...new Set(inTests)].filter((id) => !inDoc.has(id))).toEqual([])
  })
})
