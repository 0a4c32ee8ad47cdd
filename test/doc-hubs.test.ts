import { describe, expect, it } from 'vitest'
import { blocks, checkTypes, promisedOutput, runModule } from './support/doc-blocks.ts'

describe.each(['docs/hubs.md', 'docs/client-messages.md', 'docs/creatio.md'])('%s', (page) => {
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
    // With something wrong at its end, so that a compiler which looks at nothing is found out.
    const found = checkTypes(`${program}\nexport const wrong: number = 'text'`)
    expect(found).toEqual(["Type 'string' is not assignable to type 'number'."])
  })
})
