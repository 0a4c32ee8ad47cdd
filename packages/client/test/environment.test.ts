// What the channel takes from a page where it is given nothing else.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ConnectOptions, connect } from '../src/index.ts'
import { FakeClock, settle } from './fake-clock.ts'
import { FakeNetwork } from './fake-socket.ts'
import { channelState, serverMessage } from './wire.ts'

const clock = new FakeClock()
const timers = { now: clock.now, after: clock.after, random: () => 1 }
let network: FakeNetwork

beforeEach(() => {
  network = new FakeNetwork()
})

function options(): ConnectOptions {
  return { WebSocket: network.WebSocket, transports: ['websocket'], environment: timers }
}

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** The events of a page, as far as the channel needs them. */
function stubPage(): { window: EventTarget; document: EventTarget & { visibilityState: string } } {
  const window = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
  vi.stubGlobal('document', document)
  return { window, document }
}

describe('a page', () => {
  it.each(['online', 'pageshow', 'visibilitychange', 'resume'])(
    'has a waiting channel try at once on %s',
    async (event) => {
      const { window, document } = stubPage()
      const channel = connect('http://host.test/msg', options())
      await settle()
      network.socket.drop()
      const target = ['visibilitychange', 'resume'].includes(event) ? document : window
      target.dispatchEvent(new Event(event))
      await settle()
      expect(network.sockets).toHaveLength(2)
      await channel.close()
      target.dispatchEvent(new Event(event))
      await settle()
      expect(network.sockets).toHaveLength(2)
    },
  )

  it('that is hidden does not', async () => {
    const { document } = stubPage()
    const channel = connect('http://host.test/msg', options())
    await settle()
    network.socket.drop()
    document.visibilityState = 'hidden'
    document.dispatchEvent(new Event('visibilitychange'))
    await settle()
    expect(network.sockets).toHaveLength(1)
    await channel.close()
  })
})

describe('an error of a handler', () => {
  const error = new Error('handler')

  async function throwInHandler(): Promise<void> {
    const channel = connect('http://host.test/msg', options())
    channel.onMessage(() => {
      throw error
    })
    await settle()
    network.socket.shakeHands(channelState('e', 0) + serverMessage('A', 1, 'e:1'))
    await channel.close()
  }

  it("goes to the page's reportError", async () => {
    const reportError = vi.fn<(error: unknown) => void>()
    vi.stubGlobal('reportError', reportError)
    await throwInHandler()
    expect(reportError.mock.calls).toEqual([[error]])
  })

  it('goes to the console where there is none', async () => {
    vi.stubGlobal('reportError', undefined)
    const log = vi.spyOn(console, 'error').mockReturnValue(undefined)
    await throwInHandler()
    expect(log.mock.calls).toEqual([[error]])
  })
})

describe('outside of a page', () => {
  it('the channel works with the timers, the chance and the clock that are there', async () => {
    const channel = connect('http://host.test/msg', {
      WebSocket: network.WebSocket,
      transports: ['websocket'],
      reconnectDelayMs: 1,
      reconnectDelayMsMax: 1,
    })
    const isOpen = channel.ready()
    await settle()
    network.socket.drop()
    await vi.waitFor(() => expect(network.sockets).toHaveLength(2), { interval: 1 })
    network.socket.shakeHands(channelState('e', 0))
    await isOpen
    await channel.close()
  })
})
