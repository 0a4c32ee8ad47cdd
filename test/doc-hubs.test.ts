import { describe, expect, it } from 'vitest'
import { blocks, checkTypes, promisedOutput, runModule } from './support/doc-blocks.ts'

describe.each(['docs/hubs.md', 'docs/client-messages.md'])('%s', (page) => {
  const program = blocks(page, 'ts').join('\n')

  it('prints what it says, in whatever order', async () => {
    const promised = promisedOutput(program)
    expect(promised.length).toBeGreaterThan(5)
    const { code, out, err } = await runModule(program)
    expect(out.trimEnd().split('\n').toSorted(), err).toEqual(promised.toSorted())
    expect(code).toBe(0)
  })

  it('has the types that it says', { timeout: 60_000 }, () => {
    expect(checkTypes(program)).toEqual([])
    // As for this page and no other: something wrong would be found.
    expect(checkTypes(`${program}\nconst wrong: number = 'text'`)).toHaveLength(1)
  })
})
