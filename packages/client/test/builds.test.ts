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

/** A module with all that it imports. */
function withImports(file: string, found: Set<string> = new Set()): Set<string> {
  if (found.has(file)) return found
  found.add(file)
  for (const [, other = ''] of read(file).matchAll(/from"\.\/([^"]+)"/g)) withImports(other, found)
  return found
}

/** Of a bundle with these entries. */
function gzipBytes(...entries: readonly string[]): number {
  const files = new Set(entries.flatMap((entry) => [...withImports(entry)]))
  return gzipSync([...files].map(read).join(''), { level: 9 }).length
}

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
      const imported = [...read(file).matchAll(/(?<!["'`])(?:from|import)\s*["'`]([^"'`]+)["'`]/g)].map((match) => match[1])
      for (const name of imported) expect([...produced.map((other) => `./${other}`), ...peers]).toContain(name)
    }
  })

  it('offer these names', async () => {
    expect(Object.keys((await import(join(dist, 'index.js'))) as object).sort()).toEqual([
      'ChannelError',
      'connect',
      'connectHub',
      'defineMessages',
    ])
    expect(Object.keys((await import(join(dist, 'terrasoft.js'))) as object).sort()).toEqual([
      'createTerrasoft',
      'installTerrasoft',
    ])
    expect(Object.keys((await import(join(dist, 'terrasoft-bridge.js'))) as object).sort()).toEqual([
      'BaseMessageBridge',
      'ClientMessageBridge',
      'MessageDirectionType',
      'MessageMode',
      'NotImplementedException',
      'NullOrEmptyException',
      'Sandboxes',
      'UnsupportedTypeException',
      'createMessageBridge',
    ])
    expect(Object.keys((await import(join(dist, 'terrasoft-sdk.js'))) as object).sort()).toEqual([
      'PageSubscription',
      'createPageHandlers',
      'createSdk',
    ])
  })

  it('are small', () => {
    const connect = gzipBytes('index.js')
    const over = (base: string, entry: string): number => gzipBytes(base, entry) - gzipBytes(base)
    const sizes = {
      connect,
      terrasoft: over('index.js', 'terrasoft.js'),
      bridge: over('terrasoft.js', 'terrasoft-bridge.js'),
      sdk: over('terrasoft.js', 'terrasoft-sdk.js'),
      script: gzipBytes('serverchannel.js'),
      creatioScript: gzipBytes('serverchannel-creatio.js'),
    }
    console.log('gzip bytes:', sizes)
    // All of the entry; what a page loads of it is in size.test.ts.
    expect(sizes.connect).toBeLessThanOrEqual(9.5 * KIB)
    expect(sizes.terrasoft).toBeLessThanOrEqual(3 * KIB)
    expect(sizes.bridge).toBeLessThanOrEqual(3 * KIB)
    expect(sizes.sdk).toBeLessThanOrEqual(1.5 * KIB)
    expect(sizes.script).toBeLessThanOrEqual(12 * KIB)
    expect(sizes.creatioScript).toBeLessThanOrEqual(15 * KIB)
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
function load(network: FakeNetwork, tag: object, more: object = {}, file = 'serverchannel.js'): Page {
  const page = createContext({
    URL,
    URLSearchParams,
    AbortController,
    Event,
    EventTarget,
    MessageEvent,
    queueMicrotask,
    console: { log() {} },
    setTimeout,
    clearTimeout,
    location: { href: 'https://page.test/orders' },
    document: Object.assign(new EventTarget(), { currentScript: tag, visibilityState: 'visible' }),
    addEventListener() {},
    WebSocket: network.WebSocket,
    ...more,
  })
  runInContext(read(file), page)
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

  it('takes them from its url, for loaders that set no attributes', () => {
    const { BPMSoft } = load(new FakeNetwork(), { ...tag, src: `${tag.src}?global=BPMSoft&user=ann` })
    expect(BPMSoft).toBeDefined()
  })

  it.each([
    ['under its name where a tag loads it', {}, ['serverchannel']],
    ['without a name where the loader asked for it', { requiremodule: 'any/name' }, []],
  ])('is an AMD module %s', (_how, dataset, names) => {
    const defined: unknown[][] = []
    const define = Object.assign((...args: unknown[]) => defined.push(args), { amd: {} })
    const module = { exports: {} }
    const page = load(new FakeNetwork(), { ...tag, dataset }, { define, module, exports: module.exports })
    expect(defined).toEqual([[...names, [], expect.any(Function)]])
    const factory = defined[0]?.at(-1) as () => { connect: unknown; Terrasoft: unknown }
    expect(factory().connect).toBe(page.ServerChannel.connect)
    expect(factory().Terrasoft).toBe(page.Terrasoft)
    expect(module.exports).toEqual({})
  })

  it('calls nothing that is named define and no loader', () => {
    const define = (): never => {
      throw new Error('define was called')
    }
    expect(typeof load(new FakeNetwork(), tag, { define }).ServerChannel.connect).toBe('function')
  })
})

describe("the script with all of Creatio's names", () => {
  it('has the bridge, the sandbox and the SDK besides', async () => {
    const network = new FakeNetwork()
    const tag = { src: 'https://page.test/msg/serverchannel-creatio.js', dataset: { global: 'BPMSoft' } }
    const page = load(network, tag, {}, 'serverchannel-creatio.js')
    const got = runInContext(
      `var got = []
      var bridge = BPMSoft.createMessageBridge({
        messages: { Order: { mode: BPMSoft.MessageMode.BROADCAST, direction: BPMSoft.MessageDirectionType.PUBLISH } },
        methods: {
          init: function() {
            this.callParent(arguments)
            this.addMessageConfig({ sender: 'Order', messageName: 'Order', isSaveHistory: true })
          },
        },
      })
      var sandbox = BPMSoft.createSandbox('Page')
      sandbox.registerMessages({
        Order: { mode: BPMSoft.MessageMode.BROADCAST, direction: BPMSoft.MessageDirectionType.SUBSCRIBE },
      })
      sandbox.subscribe('Order', function(body) { got.push(['sandbox', body.id, body.Header.Sender]) })
      new ServerChannel.MessageChannelService().subscribe('Order', function(event) { got.push(['sdk', event.body.id]) })
      got`,
      page,
    ) as unknown[][]
    await settle()
    expect(network.socket.url.href).toBe('wss://page.test/msg?position=')
    network.socket.shakeHands(channelState('e', 0) + serverMessage('Order', '{"id":42}', 'e:1'))
    await settle()
    // Arrays of another realm.
    expect(JSON.parse(JSON.stringify(got))).toEqual([
      ['sandbox', 42, 'Order'],
      ['sdk', 42],
    ])
    await (page.BPMSoft as Page['Terrasoft']).ServerChannel.close()
  })
})
