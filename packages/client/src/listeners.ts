/// <reference lib="esnext.disposable" preserve="true" />
/** How long something is to be done. */
export interface ListenOptions {
  /** Its abort ends the calls, as the returned function does. */
  readonly signal?: AbortSignal | undefined
}

/** How long a handler is to be called. */
export interface HandlerOptions extends ListenOptions {
  /** Whether it is called only once. Default false. */
  readonly once?: boolean | undefined
  /** For whose sake it is called. In development a warning tells if that has left the document and the handler has not. */
  readonly element?: Element | undefined
}

/** Takes a handler off again. Idempotent. To be called, or as `using off = channel.on(…)`. */
export type Off = (() => void) & Disposable

/** The handlers of one thing that happens. A round of calls takes them as they are when it begins. */
export class Listeners<Args extends readonly unknown[]> {
  readonly #reportError: (error: unknown) => void
  #handlers: ReadonlyArray<(...args: Args) => void> = []

  constructor(reportError: (error: unknown) => void) {
    this.#reportError = reportError
  }

  /** Those to be called now. Never changed in place. */
  get handlers(): ReadonlyArray<(...args: Args) => void> {
    return this.#handlers
  }

  /** Returns what takes the handler off again. The same function given twice is called twice. */
  add(handler: (...args: Args) => void, { signal, once }: HandlerOptions = {}, onOff?: () => void): Off {
    const call = (...args: Args): void => {
      if (once) off()
      handler(...args)
    }
    const off = (): void => {
      if (!this.#handlers.includes(call)) return
      this.#handlers = this.#handlers.filter((other) => other !== call)
      signal?.removeEventListener('abort', off)
      onOff?.()
    }
    if (!signal?.aborted) {
      this.#handlers = [...this.#handlers, call]
      signal?.addEventListener('abort', off)
    }
    // Older browsers have no such symbol: there it is one property more that nobody looks for.
    return Object.assign(off, { [Symbol.dispose]: off })
  }

  /** Calls each; what one throws is reported and hinders no other. */
  emit(...args: Args): void {
    this.call(this.#handlers, ...args)
  }

  /** The same with handlers that were looked up before. */
  call(handlers: ReadonlyArray<(...args: Args) => void>, ...args: Args): void {
    for (const handler of handlers) {
      try {
        handler(...args)
      } catch (error) {
        this.#reportError(error)
      }
    }
  }
}
