import { RECORD_SEPARATOR } from '@serverchannel/protocol'
import type { Timer } from './environment.ts'
import type { Settings } from './options.ts'
import type { MessageSource, OpenSource, SourceListener } from './source.ts'
import type { Transport, TransportLadder } from './transports/transport.ts'

/** Waited besides, so that clients that lost their server together don't come back together: at most so long. */
const SPREAD_MS = 60_000
/** A handshake that asks for no protocol. */
const NO_HANDSHAKE = `{}${RECORD_SEPARATOR}`

/** A source that can be had over another connection. */
interface Restartable extends MessageSource {
  restart(): void
}

/**
 * A source that goes on over the best transport as soon as that passes again, where a lesser one carries it. It is tried
 * beside the connection that there is, and that is left only when the server answers: what is posted meanwhile comes by the
 * position. Not while a call is under way, since nobody would know what became of it.
 */
export function upgradeTransport(
  open: (listener: SourceListener) => Restartable,
  ladder: TransportLadder,
  hub: URL,
  settings: Settings,
): OpenSource {
  const { environment, accessToken } = settings
  return (channel) => {
    let timer: Timer | undefined
    let tried: Transport | undefined
    const plan = (): void => {
      stop()
      const delayMs = ladder.betterInMs()
      if (delayMs !== undefined && channel.position())
        timer = environment.after(delayMs + environment.random() * SPREAD_MS, () => void look())
    }
    const stop = (): void => {
      timer?.stop()
      void tried?.close()
      tried = undefined
    }
    const fail = (): void => {
      ladder.avoid()
      plan()
    }
    const look = async (): Promise<void> => {
      try {
        const token = typeof accessToken === 'function' ? await accessToken() : accessToken
        if (source.state !== 'open') return
        const transport = ladder.best().open(
          { ...settings, url: hub, accessToken: token },
          {
            // A proxy may let it be opened, and nothing through. The server answers this with a refusal: that is answer enough,
            // and nobody there takes it for a client that comes and goes.
            onOpen: () => transport.send(NO_HANDSHAKE),
            onData() {
              if (tried !== transport) return
              if (source.calls?.isBusy) return fail()
              ladder.anotherNetwork()
              source.restart()
            },
            onClose: () => tried === transport && fail(),
          },
        )
        tried = transport
      } catch {
        fail()
      }
    }
    const source = open({
      ...channel,
      onStateChange(state, ...change) {
        if (state === 'open') plan()
        else stop()
        channel.onStateChange(state, ...change)
      },
    })
    return source
  }
}
