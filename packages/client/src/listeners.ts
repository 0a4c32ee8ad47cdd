/** How long a handler is to be called. */
export interface ListenOptions {
  /** Its abort ends the calls, as the returned function does. */
  readonly signal?: AbortSignal | undefined
}

/** The handlers of one thing that happens. A round of calls takes them as they are when it begins. */
export class Listeners<Args extends readonly unknown[]> {
  #handlers: ReadonlyArray<(...args: Args) => void> = []

  /** Those to be called now. Never changed in place. */
  get handlers(): ReadonlyArray<(...args: Args) => void> {
    return this.#handlers
  }

  /** Returns what takes the handler off again. The same function given twice is called twice. */
  add(handler: (...args: Args) => void, { signal }: ListenOptions = {}, onOff?: () => void): () => void {
    if (signal?.aborted) return () => {}
    const call = (...args: Args): void => handler(...args)
    const off = (): void => {
      if (!this.#handlers.includes(call)) return
      this.#handlers = this.#handlers.filter((other) => other !== call)
      signal?.removeEventListener('abort', off)
      onOff?.()
    }
    this.#handlers = [...this.#handlers, call]
    signal?.addEventListener('abort', off)
    return off
  }

  /** Calls each; what one throws is reported and hinders no other. */
  emit(reportError: (error: unknown) => void, ...args: Args): void {
    callAll(this.#handlers, reportError, ...args)
  }
}

export function callAll<Args extends readonly unknown[]>(
  handlers: ReadonlyArray<(...args: Args) => void>,
  reportError: (error: unknown) => void,
  ...args: Args
): void {
  for (const handler of handlers) {
    try {
      handler(...args)
    } catch (error) {
      reportError(error)
    }
  }
}
