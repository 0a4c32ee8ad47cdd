import type { Environment } from './environment.ts'

/** What is kept of a channel over a reload of its page. */
export interface KeptPosition {
  /** As it was found; undefined where there was none. */
  readonly position: string | undefined
  /** Whose it is; empty where there was none. */
  readonly owner: string
  /** To be called when the channel has got further: it is kept within a second, and when the page is hidden or left. */
  save(position: string, owner: string): void
  /** Keeps what is to be kept, and lets another channel of the page do so. */
  close(): void
}

const SAVE_DELAY_MS = 1_000

/**
 * Keeps the position of one channel of the page for each hub: two would write over each other's, and the one that was
 * further behind would lose what is in between. Undefined where another one is kept, or nothing can be.
 */
export function keepPosition(hub: URL, area: 'tab' | 'user', environment: Environment): KeptPosition | undefined {
  const values = environment.kept(area === 'tab' ? 'tab' : 'browser')
  const key = `serverchannel ${hub.origin}${hub.pathname} position`
  const owned = keptNow()
  if (!values || owned.has(key)) return undefined
  owned.add(key)
  const kept = values.getItem(key) ?? ''
  const end = kept.indexOf(' ')
  let unsaved: string | undefined
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
  let timer: ReturnType<Environment['after']> | undefined
  const stopSigns = environment.onSign((sign) => {
    if (sign === 'hidden' || sign === 'frozen') write()
  })
  return {
    position: kept.slice(end + 1) || undefined,
    owner: kept.slice(0, Math.max(end, 0)),
    save(position, owner) {
      unsaved = `${owner} ${position}`
      timer ??= environment.after(SAVE_DELAY_MS, write)
    },
    close() {
      write()
      stopSigns()
      owned.delete(key)
    },
  }
}

/** Of the page, not of this module: a page can have it twice, in its bundle and by the script. */
function keptNow(): Set<unknown> {
  const name = Symbol.for('serverchannel kept positions')
  const found: unknown = Reflect.get(globalThis, name)
  if (found instanceof Set) return found
  const made = new Set()
  Reflect.set(globalThis, name, made)
  return made
}
