import { type Environment, kept as keptByPage, type Timer } from './environment.ts'
import type { OpenSource } from './source.ts'

const SAVE_DELAY_MS = 1_000

/** A source whose channel goes on over a reload of its page. */
export interface KeptPosition {
  /** As it was found; undefined where there was none. */
  readonly position: string | undefined
  /** Puts the keeping between the source and its channel. */
  readonly keep: (open: OpenSource) => OpenSource
}

/**
 * Keeps the position of one channel of the page for each hub: two would write over each other's, and the one that was
 * further behind would lose what is in between. Kept it is within a second, and when the page is hidden or left; together
 * with whose it is, as the server has said. Undefined where another channel's is kept, or nothing can be.
 */
export function keepPosition(
  hub: URL,
  area: 'tab' | 'user',
  environment: Environment,
  given?: string,
): KeptPosition | undefined {
  const values = (environment.kept ?? keptByPage)(area === 'tab' ? 'tab' : 'browser')
  const key = `serverchannel ${hub.origin}${hub.pathname} position`
  const taken = (page[TAKEN] ??= new Set())
  if (!values || taken.has(key)) return undefined
  taken.add(key)
  // A position that is given is meant for whoever the user is.
  let [owner = '', position] = ((!given && values.getItem(key)) || '').split(' ')
  let unsaved: string | undefined
  let timer: Timer | undefined
  const write = (): void => {
    timer?.stop()
    timer = undefined
    if (unsaved === undefined) return
    try {
      values.setItem(key, unsaved)
    } catch {
      // Full: a reload goes on from what was kept before, or from then on.
    }
    unsaved = undefined
  }
  const stopSigns = environment.onSign((sign) => {
    if (sign === 'hidden' || sign === 'frozen') write()
  })
  const save = (reached: string | undefined): void => {
    // Before the server has said whose it is, nobody could tell for whom it may be resumed.
    if (!reached || !owner) return
    unsaved = `${owner} ${reached}`
    timer ??= environment.after(SAVE_DELAY_MS, write)
  }
  return {
    position,
    keep: (open) => (channel) =>
      open({
        ...channel,
        owner: () => owner,
        onOwner(told) {
          owner = told
        },
        onMessage(message) {
          channel.onMessage(message)
          save(channel.position())
        },
        onChannelState(state) {
          channel.onChannelState(state)
          save(channel.position())
        },
        onStateChange(state, ...change) {
          channel.onStateChange(state, ...change)
          if (state !== 'closed') return
          write()
          stopSigns()
          taken.delete(key)
        },
      }),
  }
}

/** Of the page, not of this module: a page can have it twice, in its bundle and by the script. */
const TAKEN: unique symbol = Symbol.for('serverchannel kept positions')
const page: typeof globalThis & { [TAKEN]?: Set<string> } = globalThis
