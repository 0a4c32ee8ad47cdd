// Tabs that share a connection, in one process: the relay, what it keeps, and each tab's end, over links of the test's own.
import type { ChannelState, HubMessage, Message } from '@serverchannel/protocol'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Calls } from '../src/calls.ts'
import { Channel } from '../src/channel.ts'
import { ChannelError } from '../src/channel-error.ts'
import type { HubRecord } from '../src/codec.ts'
import type { ConnectionState } from '../src/connection-state.ts'
import { createEnvironment, type Sign } from '../src/environment.ts'
import type { MessageSource, OpenSource, SourceListener } from '../src/source.ts'
import { Relay } from '../src/tabs/relay.ts'
import { createSharedHistory } from '../src/tabs/shared-history.ts'
import type { LinkListener, OpenLink, ToTab } from '../src/tabs/tab-message.ts'
import { TabSource } from '../src/tabs/tab-source.ts'
import { FakeClock, settle } from './fake-clock.ts'

/** A connection whose other end is the test. */
class FakeSource implements MessageSource {
  state: ConnectionState = 'connecting'
  heardAt: number | undefined
  calls = undefined
  isClosed = false
  wakes = 0
  readonly sent: HubMessage[] = []
  readonly listener: SourceListener
  readonly hubCalls: Calls | undefined
  readonly accessToken: (() => Promise<string>) | undefined

  constructor(
    listener: SourceListener,
    createCalls?: (send: (sent: HubMessage) => void) => Calls,
    token?: () => Promise<string>,
  ) {
    this.listener = listener
    this.hubCalls = createCalls?.((sent) => this.sent.push(sent))
    this.accessToken = token
  }

  wake(): void {
    this.wakes++
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }

  enter(state: ConnectionState, error?: ChannelError): void {
    const previous = this.state
    this.state = state
    this.listener.onStateChange(state, previous, error)
    if (error) this.listener.onError(error)
  }

  /** The server answers where the client is, and the connection is open. */
  open(offset: number, more: Partial<ChannelState> = {}): void {
    this.listener.onChannelState({ epoch: 'e', offset, ...more })
    this.enter('open')
  }

  say(offset: number, epoch = 'e'): void {
    this.listener.onMessage(message(offset, epoch))
  }

  receive(record: HubRecord): void {
    this.hubCalls?.receive(record)
  }
}

function message(offset: number, epoch = 'e'): Message {
  return { Id: `${offset}`, Header: { Sender: 'Number' }, Body: offset, Position: `${epoch}:${offset}` }
}

/** A browser: tabs, and whoever has their connection. */
class Browser {
  readonly clock = new FakeClock()
  readonly shared: FakeSource[] = []
  readonly own: FakeSource[] = []
  readonly links: { readonly tab: string; readonly listener: LinkListener; isClosed: boolean }[] = []
  /** Whoever has it is asleep, or dead: nothing is answered. */
  isSilent = false
  relay = this.#createRelay()
  #tabs = 0

  replaceRelay(): void {
    this.relay = this.#createRelay()
    for (const { listener, isClosed } of this.links) if (!isClosed) listener.onMessage({ kind: 'changed' })
  }

  tab(position?: string): Tab {
    return new Tab(this, position)
  }

  createLink(): OpenLink {
    const tab = `tab-${++this.#tabs}`
    return (listener) => {
      const link = { tab, listener, isClosed: false }
      this.links.push(link)
      return {
        send: (said) =>
          queueMicrotask(() => {
            if (!this.isSilent) this.relay.receive(tab, structuredClone(said))
          }),
        close() {
          link.isClosed = true
        },
      }
    }
  }

  #createRelay(): Relay {
    const toTab = (tab: string, said: ToTab): void => {
      const copy = structuredClone(said)
      queueMicrotask(() => {
        if (this.isSilent) return
        for (const link of this.links) if (link.tab === tab && !link.isClosed) link.listener.onMessage(copy)
      })
    }
    return new Relay({
      environment: this.environment(),
      openSource: (listener, { createCalls, accessToken }) => {
        const source = new FakeSource(listener, createCalls, accessToken)
        this.shared.push(source)
        return source
      },
      toTab,
      toAll(tabs, said) {
        for (const tab of tabs) toTab(tab, said)
      },
    })
  }

  environment(
    onSign: (listener: (sign: Sign) => void) => () => void = () => () => {},
  ): ReturnType<typeof createEnvironment> {
    return createEnvironment({
      now: this.clock.now,
      after: this.clock.after,
      random: () => 0.5,
      onSign,
      isHidden: () => false,
    })
  }

  get connection(): FakeSource {
    const source = this.shared.at(-1)
    if (!source) throw new Error('Nobody connected')
    return source
  }
}

/** A page with a channel. */
class Tab {
  readonly got: unknown[] = []
  readonly states: string[] = []
  readonly channel: Channel
  readonly source: TabSource
  token: () => Promise<string | undefined> = () => Promise.resolve(undefined)
  sign: (sign: Sign) => void = () => {}

  constructor(browser: Browser, position: string | undefined, links = [browser.createLink()]) {
    let made: TabSource | undefined
    const environment = browser.environment((listener) => {
      this.sign = listener
      return () => {}
    })
    const openOwn: OpenSource = (listener) => {
      const source = new FakeSource(listener)
      browser.own.push(source)
      return source
    }
    this.channel = new Channel({
      openSource: (listener) => {
        made = new TabSource({ environment, links, openOwn, accessToken: () => this.token() }, listener)
        return made
      },
      environment,
      position,
    })
    this.source = made as unknown as TabSource
    this.channel.onMessage(({ Body }) => this.got.push(Body))
    this.channel.onGap(({ reason }) => this.got.push(reason))
    this.channel.onStateChange((state) => this.states.push(state))
  }
}

let browser: Browser

beforeEach(() => {
  browser = new Browser()
})

describe('tabs', () => {
  it('have one connection, and each gets each message once', async () => {
    const tabs = [browser.tab(), browser.tab(), browser.tab()]
    await settle()
    expect([browser.shared.length, browser.own.length]).toEqual([1, 0])
    browser.connection.open(5)
    await settle()
    browser.connection.say(6)
    browser.connection.say(6)
    browser.connection.say(7)
    await settle()
    for (const tab of tabs) {
      expect([tab.channel.state, tab.channel.position, tab.got]).toEqual(['open', 'e:7', [6, 7]])
    }
  })

  it('that come later get what is next, and know where they are', async () => {
    browser.tab()
    await settle()
    browser.connection.open(5)
    browser.connection.say(6)
    const late = browser.tab()
    await settle()
    expect([late.channel.state, late.channel.position, late.got]).toEqual(['open', 'e:6', []])
    browser.connection.say(7)
    await settle()
    expect(late.got).toEqual([7])
  })

  it('that were reloaded get from the relay what it has', async () => {
    browser.tab()
    await settle()
    browser.connection.open(5)
    for (const offset of [6, 7, 8]) browser.connection.say(offset)
    const reloaded = browser.tab('e:6')
    await settle()
    expect([reloaded.got, reloaded.channel.state, browser.own.length]).toEqual([[7, 8], 'open', 0])
  })

  it('that miss more than it has get that by themselves, and then share', async () => {
    browser.tab()
    await settle()
    browser.connection.open(50)
    const behind = browser.tab('e:10')
    await settle()
    const own = browser.own[0]
    expect(own?.listener.position()).toBe('e:10')
    for (let offset = 11; offset <= 50; offset++) own?.say(offset)
    browser.connection.say(51)
    own?.say(51)
    own?.open(51, { recovered: true })
    await settle()
    expect([own?.isClosed, behind.channel.state]).toEqual([true, 'open'])
    browser.connection.say(52)
    await settle()
    expect(behind.got).toEqual(Array.from({ length: 42 }, (_, index) => 11 + index))
    expect(behind.states).toEqual(['open'])
  })

  it('are told of a gap only where it is theirs', async () => {
    const steady = browser.tab()
    await settle()
    browser.connection.open(50)
    const other = browser.tab('old:10')
    await settle()
    browser.own[0]?.open(50, { recovered: false, reason: 'epoch-changed' })
    await settle()
    browser.connection.say(51)
    await settle()
    expect([steady.got, other.got]).toEqual([[51], ['epoch-changed', 51]])
    browser.connection.enter('reconnecting', new ChannelError('connection_lost', 'cut'))
    browser.connection.open(70, { recovered: false, reason: 'history-trimmed' })
    await settle()
    expect([steady.got, other.got]).toEqual([
      [51, 'history-trimmed'],
      ['epoch-changed', 51, 'history-trimmed'],
    ])
  })

  it('see the state of the connection, and why it is', async () => {
    const tab = browser.tab()
    const errors: string[] = []
    tab.channel.onError(({ code }) => errors.push(code))
    await settle()
    browser.connection.open(0)
    browser.connection.enter('reconnecting', new ChannelError('server_timeout', 'silence'))
    await settle()
    browser.connection.open(0, { recovered: true })
    await settle()
    browser.connection.enter('closed', new ChannelError('closed_by_server', 'for good'))
    await settle()
    expect(tab.states).toEqual(['open', 'reconnecting', 'open', 'closed'])
    expect(errors).toEqual(['server_timeout', 'closed_by_server'])
  })

  it('let the connection go with the last of them', async () => {
    const tabs = [browser.tab(), browser.tab()]
    await settle()
    await tabs[0]?.channel.close()
    await settle()
    expect(browser.connection.isClosed).toBe(false)
    await tabs[1]?.channel.close()
    await settle()
    expect([browser.connection.isClosed, tabs[1]?.channel.state]).toEqual([true, 'closed'])
    const again = browser.tab()
    await settle()
    browser.connection.open(3)
    await settle()
    expect([browser.shared.length, again.channel.state]).toEqual([2, 'open'])
  })

  it('lose and double nothing when another one comes to have it', async () => {
    const tabs = [browser.tab(), browser.tab()]
    await settle()
    browser.connection.open(0)
    browser.connection.say(1)
    await settle()
    // The new one goes on from where the first tab is that finds it; the other is further.
    browser.links[0]?.listener.onMessage({ kind: 'message', message: message(2) })
    browser.replaceRelay()
    await settle()
    expect(browser.connection.listener.position()).toBe('e:2')
    for (const offset of [3, 4]) browser.connection.say(offset)
    browser.connection.open(4, { recovered: true })
    await settle()
    const late = browser.own[0]
    for (const offset of [2, 3, 4]) late?.say(offset)
    late?.open(4, { recovered: true })
    await settle()
    expect(tabs.map(({ got }) => got)).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ])
  })

  it('go on by themselves where whoever has it does not answer, and share again when he does', async () => {
    const tab = browser.tab()
    await settle()
    browser.connection.open(0)
    await settle()
    browser.isSilent = true
    await browser.clock.pass(30_000)
    const own = browser.own.at(-1)
    expect([tab.channel.state, own?.isClosed]).toEqual(['reconnecting', false])
    own?.say(1)
    own?.open(1, { recovered: true })
    expect([tab.channel.state, tab.got]).toEqual(['open', [1]])
    browser.isSilent = false
    await browser.clock.pass(10_000)
    browser.connection.say(1)
    browser.connection.say(2)
    await settle()
    expect([tab.got, own?.isClosed, browser.own.length]).toEqual([[1, 2], true, 1])
  })

  it('that are put away let go, and are back where they were', async () => {
    const tab = browser.tab()
    await settle()
    browser.connection.open(0)
    browser.connection.say(1)
    await settle()
    tab.sign('frozen')
    await settle()
    expect([browser.connection.isClosed, tab.channel.state]).toEqual([true, 'reconnecting'])
    tab.sign('thawed')
    await settle()
    expect(browser.connection.listener.position()).toBe('e:1')
    browser.connection.say(2)
    browser.connection.open(2, { recovered: true })
    await settle()
    expect([tab.got, tab.channel.state]).toEqual([[1, 2], 'open'])
  })

  it('wake the connection', async () => {
    const tab = browser.tab()
    await settle()
    tab.sign('online')
    await settle()
    expect(browser.connection.wakes).toBe(1)
  })

  it('take another way where one fails, and their own connection where all do', async () => {
    const failing: OpenLink = (listener) => {
      queueMicrotask(() => listener.onFailure())
      return { send() {}, close() {} }
    }
    const second = new Tab(browser, undefined, [failing, browser.createLink()])
    const alone = new Tab(browser, undefined, [failing])
    await settle()
    browser.connection.open(0)
    browser.own[0]?.open(0)
    await settle()
    expect([second.channel.state, alone.channel.state, browser.own.length]).toEqual(['open', 'open', 1])
    browser.own[0]?.say(1)
    expect(alone.got).toEqual([1])
  })
})

describe('calls over a shared connection', () => {
  it('of several tabs keep apart, though they have the same ids', async () => {
    const [one, two] = [browser.tab(), browser.tab()]
    await settle()
    browser.connection.open(0)
    await settle()
    const answers = [one.source.calls.invoke('Echo', ['one'], {}), two.source.calls.invoke('Echo', ['two'], {})]
    await settle()
    expect(browser.connection.sent).toMatchObject([{ arguments: ['one'] }, { arguments: ['two'] }])
    for (const sent of browser.connection.sent.toReversed()) {
      const { invocationId, arguments: args } = sent as unknown as { invocationId: string; arguments: unknown[] }
      browser.connection.receive({ type: 3, invocationId, result: args[0] })
    }
    expect(await Promise.all(answers)).toEqual(['one', 'two'])
  })

  it('fail with the connection, and with whoever has it', async () => {
    const tab = browser.tab()
    await settle()
    browser.connection.open(0)
    await settle()
    const first = tab.source.calls.invoke('Echo', [], {})
    const failed = first.catch((error: unknown) => error)
    await settle()
    browser.connection.enter('reconnecting', new ChannelError('connection_lost', 'cut'))
    browser.connection.hubCalls?.lose()
    await settle()
    expect(await failed).toMatchObject({ name: 'ChannelError' })
    browser.connection.open(0, { recovered: true })
    await settle()
    const second = tab.source.calls.invoke('Echo', [], {})
    const lost = second.catch((error: unknown) => error)
    browser.replaceRelay()
    await settle()
    expect(await lost).toMatchObject({ code: 'connection_lost' })
  })

  it('are cancelled when their tab is gone', async () => {
    const [one, two] = [browser.tab(), browser.tab()]
    await settle()
    browser.connection.open(0)
    await settle()
    const call = one.source.calls.invoke('Slow', [], {})
    call.catch(() => {})
    void two.source.calls.invoke('Other', [], {}).catch(() => {})
    await settle()
    await one.channel.close()
    await settle()
    const [slow] = browser.connection.sent as unknown as { invocationId: string }[]
    expect(browser.connection.sent.filter(({ type }) => type === 5)).toEqual([
      { type: 5, invocationId: slow?.invocationId },
    ])
  })
})

describe('access tokens of a shared connection', () => {
  it('are asked of the tabs, the newest first, and of the next where one fails', async () => {
    const [one, two] = [browser.tab(), browser.tab()]
    one.token = () => Promise.resolve('token of one')
    two.token = () => Promise.reject(new Error('logged out'))
    await settle()
    expect(await browser.connection.accessToken?.()).toBe('token of one')
    two.token = () => Promise.resolve('token of two')
    expect(await browser.connection.accessToken?.()).toBe('token of two')
  })

  it('fail where no tab has one', async () => {
    const tab = browser.tab()
    tab.token = () => Promise.reject(new Error('logged out'))
    await settle()
    await expect(browser.connection.accessToken?.()).rejects.toMatchObject({ code: 'access_token_failed' })
  })
})

describe('what a relay keeps', () => {
  it('is bounded: who misses more is told so', () => {
    const history = createSharedHistory('e:0')
    for (let offset = 1; offset <= 3_000; offset++) history.add(message(offset))
    expect(history.after('e:1999')).toBeUndefined()
    expect(history.after('e:2000')?.messages).toHaveLength(1_000)
    expect(history.after('e:3000')?.messages).toHaveLength(0)
    // A tab may be ahead of the connection.
    expect(history.after('e:3005')?.messages).toHaveLength(0)
  })

  it('is of one epoch', () => {
    const history = createSharedHistory('a:7')
    history.add(message(8, 'a'))
    history.add(message(1, 'b'))
    expect(history.after('a:8')).toBeUndefined()
    expect(history.after('b:0')?.messages).toHaveLength(1)
    history.settle({ epoch: 'c', offset: 4, recovered: false, reason: 'epoch-changed' })
    expect(history.after('b:1')).toBeUndefined()
    expect(history.after('c:4')).toMatchObject({ messages: [], state: { epoch: 'c', offset: 4, recovered: true } })
  })

  it('says nothing before the server has', () => {
    const history = createSharedHistory(undefined)
    expect(history.after('e:1')).toBeUndefined()
    expect(history.after(undefined)).toEqual({ messages: [], state: undefined })
    history.settle({ epoch: 'e', offset: 3 })
    expect(history.after(undefined)).toEqual({ messages: [], state: { epoch: 'e', offset: 3 } })
  })
})
