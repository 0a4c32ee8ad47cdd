import { setTimeout as delay } from 'node:timers/promises'

/** What the server under test is set to; the checks that wait go by it. */
export interface Settings {
  readonly keepAliveMs: number
  readonly clientTimeoutMs: number
  readonly pollTimeoutMs: number
  /** After which a connection that nobody opened, polls or comes back to is gone. */
  readonly disconnectMs: number
  /** Whether it tells clients the text of every error. */
  readonly detailedErrors: boolean
  /** Its process, where it may be ended at the end. */
  readonly pid: number | undefined
  /** Another node that serves the same, where there is one, and its process. */
  readonly otherUrl: URL | undefined
  readonly otherPid: number | undefined
}

/** Of a .NET server that is set to nothing (SIGNALR 1). */
export const DEFAULT_SETTINGS: Settings = {
  keepAliveMs: 15_000,
  clientTimeoutMs: 30_000,
  pollTimeoutMs: 90_000,
  disconnectMs: 15_000,
  detailedErrors: false,
  pid: undefined,
  otherUrl: undefined,
  otherPid: undefined,
}

/** Where a check runs. Whatever it opens ends with the scene's signal. */
export class Scene {
  readonly url: URL
  readonly settings: Settings
  readonly signal: AbortSignal
  readonly #progress: { waitingFor: string }

  constructor(url: URL, settings: Settings, signal: AbortSignal, progress = { waitingFor: 'the first answer' }) {
    this.url = url
    this.settings = settings
    this.signal = signal
    this.#progress = progress
  }

  /** What the check waits for, to be told where its time is over. */
  get waitingFor(): string {
    return this.#progress.waitingFor
  }

  set waitingFor(what: string) {
    this.#progress.waitingFor = what
  }

  /** The same check at another server. */
  at(url: URL): Scene {
    return new Scene(url, this.settings, this.signal, this.#progress)
  }

  /** Lets time pass, where nothing would tell that it has. */
  async pass(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.signal })
  }

  /** Runs it again until it gives something. */
  async until<Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> {
    for (;;) {
      const value = await look()
      this.waitingFor = what
      if (value !== undefined) return value
      await this.pass(25)
    }
  }
}
