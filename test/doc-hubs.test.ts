import { describe, expect, it } from 'vitest'
import { blocks, checkTypes, promisedOutput, runModule } from './support/doc-blocks.ts'

describe.each(['docs/hubs.md', 'docs/client-messages.md'])('%s', (page) => {
  const program = blocks(page, 'ts').join('\n')

  it('prints what it says, in whatever order', async () => {
    const promised = promisedOutput(program)
    expect(promised.length).toBeGreaterThan(5)
    const { code, out, err } = await runModule(program)
    const printed = out.trimEnd().split('\n').toSorted()
    // With what went wrong beside it where something did.
    expect({ code, printed, err: code === 0 ? '' : err }).toEqual({ code: 0, printed: promised.toSorted(), err: '' })
  })

  it('has the types that it says', { timeout: 60_000 }, () => {
    expect(checkTypes(program)).toEqual([])
    // As for this page and no other: something wrong would be found.
    expect(checkTypes(`${program}\nconst wrong: number = 'text'`)).toHaveLength(1)
  })
})
