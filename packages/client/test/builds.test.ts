import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { FakeNetwork } from './fake-socket.ts'
import { channelState, serverMessage } from './wire.ts'

const KIB = 1024
const home = fileURLToPath(new URL('..', import.meta.url))
const tsdown = fileURLToPath(new URL('../../../node_modules/tsdown/dist/run.mjs', import.meta.url))
let dist: string

beforeAll(() => {
  dist = mkdtempSync(join(tmpdir(), 'serverchannel-client-'))
  execFileSync(process.execPath, [tsdown, '--logLevel', 'error', '--minify', '--out-dir', dist], { cwd: home })
})

afterAll(() => {
  rmSync(dist, { recursive: true })
})

const read = (file: string): string => readFileSync(join(dist, file), 'utf8')
const gzipBytes = (...files: readonly string[]): number => gzipSync(files.map(read).join(''), { level: 9 }).length

describe('the modules', () => {
  it('are those that package.json names, and import only each other', () => {
    const { exports: entries, peerDependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
      exports: Record<string, { default: string }>
      peerDependencies: Record<string, string>
    }
    const peers = Object.keys(peerDependencies)
    const produced = readdirSync(dist).filter((file) => file.endsWith('.js'))
    for (const { default: file } of Object.values(entries)) expect(produced).toContain(file.replace('./dist/', ''))
    for (const file of produced) {
      const imported = [...read(file).matchAll(/(?:from|import)\s*["'`]([^"'`]+)["'`]/g)].map((match) => match[1])
      for (const name of imported) expect([...produced.map((other) => `./${other}`), ...peers]).toContain(name)
    }
  })

  it('offer these names', async () => {
    expect(Object.keys((await import(join(dist, 'index.js'))) as object).sort()).toEqual(['ChannelError', 'connect'])
    expect(Object.keys((await import(join(dist, 'terrasoft.js'))) as object).sort()).toEqual([
      'createTerrasoft',
      'installTerrasoft',
    ])
  })

  it('are small', () => {
    expect(gzipBytes('index.js', 'connect.js')).toBeLessThanOrEqual(5 * KIB)
    expect(gzipBytes('terrasoft.js')).toBeLessThanOrEqual(3 * KIB)
    expect(gzipBytes('serverchannel.js')).toBeLessThanOrEqual(8 * KIB)
  })
})

interface Closable {
  close(): Promise<void>
}

interface Page {
  readonly ServerChannel: { connect(url?: string): Closable }
  readonly Terrasoft: { ServerChannel: Closable & { on(event: string, handler: (...args: unknown[]) => void): void } }
  readonly [name: string]: unknown
}

/** A page with nothing but what the script needs, into which it is loaded by such a tag. */
function load(network: FakeNetwork, tag: object, more: object = {}): Page {
  const page = createContext({
    URL,
    AbortController,
    setTimeout,
    clearTimeout,
    location: { href: 'https://page.test/orders' },
    document: Object.assign(new EventTarget(), { currentScript: tag, visibilityState: 'visible' }),
    addEventListener() {},
    WebSocket: network.WebSocket,
    ...more,
  })
  runInContext(read('serverchannel.js'), page)
  return page as Page
}

describe('the script', () => {
  const opened: Closable[] = []

  afterEach(async () => {
    for (const channel of opened.splice(0)) await channel.close()
  })

  const tag = { src: 'https://page.test/msg/serverchannel.js', dataset: {} }

  it('makes two globals and no connection', async () => {
    const network = new FakeNetwork()
    const before = Object.keys(load(network, tag, { ServerChannel: undefined, Terrasoft: undefined }))
    expect(Object.keys(load(network, tag)).sort()).toEqual(before.sort())
    await settle()
    expect(network.sockets).toHaveLength(0)
  })

  it('connects to the hub that served it with the first handler, and hands out messages', async () => {
    const network = new FakeNetwork()
    const page = load(network, tag)
    opened.push(page.Terrasoft.ServerChannel)
    const got: unknown[] = []
    page.Terrasoft.ServerChannel.on('message', (_channel, message) => got.push((message as { Body: unknown }).Body))
    await settle()
    expect(network.socket.url.href).toBe('wss://page.test/msg?position=')
    network.socket.shakeHands(channelState('e', 0) + serverMessage('A', 'My message value', 'e:1'))
    expect(got).toEqual(['My message value'])
  })

  it('has connect() lead to that hub too, or elsewhere', async () => {
    const network = new FakeNetwork()
    const { ServerChannel } = load(network, { ...tag, dataset: { url: '/hub', user: 'ann' } })
    opened.push(ServerChannel.connect(), ServerChannel.connect('/msg?user=bob'))
    await settle()
    expect(network.sockets.map(({ url }) => url.href)).toEqual([
      'wss://page.test/hub?user=ann&position=',
      'wss://page.test/msg?user=bob&position=',
    ])
  })

  it('takes the name of the global and the user from its tag', async () => {
    const network = new FakeNetwork()
    const page = load(network, { ...tag, dataset: { global: 'BPMSoft', user: 'ann' } })
    expect(page.Terrasoft).toBeUndefined()
    const { ServerChannel } = page.BPMSoft as Page['Terrasoft']
    opened.push(ServerChannel)
    ServerChannel.on('message', () => {})
    await settle()
    expect(network.socket.url.href).toBe('wss://page.test/msg?user=ann&position=')
  })

  it('leaves module loaders alone', () => {
    const define = Object.assign(
      () => {
        throw new Error('define was called')
      },
      { amd: {} },
    )
    const module = { exports: {} }
    const page = load(new FakeNetwork(), tag, { define, module, exports: module.exports })
    expect(typeof page.ServerChannel.connect).toBe('function')
    expect(module.exports).toEqual({})
  })
})
