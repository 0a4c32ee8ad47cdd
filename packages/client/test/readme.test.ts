import { readFileSync } from 'node:fs'
import { createContext, runInContext } from 'node:vm'
import ts from 'typescript'
import { beforeEach, describe, expect, it } from 'vitest'
import * as client from '../src/index.ts'
import * as terrasoft from '../src/terrasoft.ts'
import { settle } from './fake-clock.ts'
import { World } from './harness.ts'
import { channelState, serverMessage } from './wire.ts'

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
const readme = read('README.md')
const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '')

let world: World
let printed: unknown[][]

beforeEach(() => {
  world = new World()
  printed = []
})

/** Runs a block as a module, with the fake world in place of a page's. */
function run(block: string | undefined): Promise<unknown> {
  const url = (path = '/msg'): string => new URL(path, 'http://host.test').href
  const modules: Readonly<Record<string, object>> = {
    '@serverchannel/client': {
      ...client,
      connect: (path: string, options = {}) => client.connect(url(path), { ...world.options, ...options }),
    },
    '@serverchannel/client/terrasoft': {
      ...terrasoft,
      createTerrasoft: (options: terrasoft.ServerChannelOptions) =>
        terrasoft.createTerrasoft({ ...world.options, ...options, url: url(options.url) }),
    },
  }
  const context = createContext({
    require: (name: string) => modules[name],
    exports: {},
    AbortController,
    console: { log: (...args: unknown[]) => printed.push(args) },
  })
  const { outputText } = ts.transpileModule(block ?? '', {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  })
  return runInContext(`(async () => { ${outputText} })()`, context) as Promise<unknown>
}

async function open(): Promise<void> {
  await settle()
  world.network.socket.shakeHands(channelState('e', 0))
}

describe('the README', () => {
  it('has the blocks that are run here', () => {
    expect(blocks).toHaveLength(3)
  })

  it('shows handlers that get messages, changes of state and gaps', async () => {
    await run(blocks[0])
    await open()
    world.network.socket.receive(serverMessage('OrderChanged', { id: 42 }, 'e:1'))
    world.network.socket.receive(channelState('f', 0, { recovered: false, reason: 'epoch-changed' }))
    expect(printed).toEqual([
      ['the channel is', 'open'],
      ['refresh order', 42, 'at', 'e:1'],
      ['history was lost, load everything anew:', 'epoch-changed'],
    ])
  })

  it('shows a loop that ends', async () => {
    const ended = run(blocks[1])
    await open()
    for (const [n, body] of ['first', 'last', 'unheard'].entries()) {
      world.network.socket.receive(serverMessage('OrderChanged', body, `e:${n + 1}`))
    }
    await ended
    expect(printed).toEqual([['first'], ['last']])
    expect(world.network.socket.isLive).toBe(false)
  })

  it("shows a page with Creatio's names", async () => {
    await run(blocks[2])
    await open()
    world.network.socket.receive(serverMessage('SomeMessageId', ['My message value'], 'e:1'))
    world.network.socket.receive(serverMessage('AnotherId', 1, 'e:2'))
    expect(printed).toEqual([[['My message value']]])
  })

  /** The rows of the table under a heading: first cell, without its quotes, to last cell. */
  function table(heading: string): Map<string, string> {
    const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
    const rows = section.matchAll(/^\| `([^`]+)` .*\| ([^|]+?) +\|$/gm)
    return new Map([...rows].map(([, name = '', last = '']) => [name, last]))
  }

  it('names every option and every error code, and no others', () => {
    const source = read('src/options.ts')
    const options = ['ConnectionOptions', 'ConnectOptions']
      .map((name) => source.split(`export interface ${name}`)[1]?.split('\n}')[0] ?? '')
      .join('\n')
    expect([...table('Options').keys()].sort()).toEqual(
      [...options.matchAll(/readonly (\w+)\?:/g)].map((match) => match[1]).sort(),
    )
    const codes = read('src/channel-error.ts').split('export type ChannelErrorCode =')[1]?.split('\n\n')[0] ?? ''
    expect([...table('Errors').keys()].sort()).toEqual([...codes.matchAll(/'(\w+)'/g)].map((match) => match[1]).sort())
    expect(table('Errors').size).toBeGreaterThan(0)
  })

  it('gives the defaults that the options have', () => {
    const defaults = [
      ...(read('src/options.ts').split('const durations = {')[1]?.split('}')[0] ?? '').matchAll(/(\w+): ([\d_]+)/g),
    ]
    expect(defaults).toHaveLength(5)
    for (const [, name = '', value = ''] of defaults) expect(table('Options').get(name)).toBe(value.replace('_', ','))
  })
})
