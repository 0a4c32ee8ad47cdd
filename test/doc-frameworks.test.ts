import { describe, expect, it } from 'vitest'
import { blocks, checkTypes, promisedOutput, runModule } from './support/doc-blocks.ts'

describe('docs/frameworks.md', () => {
  const [react = '', vue = '', angular = '', testing = ''] = blocks('docs/frameworks.md', 'ts')

  // What runs in frameworks is run in Chromium, in test/e2e/frameworks.test.ts.
  it.each([
    ['React', react],
    ['Vue', vue],
    ['Angular', angular],
  ])('has code for %s that a reader’s compiler takes', { timeout: 60_000 }, (_name, block) => {
    expect(block).not.toBe('')
    expect(checkTypes(`${block}\nexport const wrong: number = 'text'`)).toEqual([
      "Type 'string' is not assignable to type 'number'.",
    ])
  })

  it('has a test that prints what it says', async () => {
    const { code, out, err } = await runModule(testing)
    expect({ code, err, printed: out.trimEnd().split('\n') }).toEqual({
      code: 0,
      err: '',
      printed: promisedOutput(testing),
    })
  })

  it('configures ESLint with what is there', async () => {
    const [block = ''] = blocks('docs/frameworks.md', 'js')
    const { code, out } = await runModule(block.replace('export default', 'console.log(JSON.stringify(') + '))')
    expect(code).toBe(0)
    expect(out).toContain('"serverchannel/un-for-on":"error"')
  })
})
