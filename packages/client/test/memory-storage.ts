/** A browser's storage, that may be full. */
export class MemoryStorage {
  readonly #items = new Map<string, string>()
  /** Given, nothing can be written. */
  failure: Error | undefined

  get length(): number {
    return this.#items.size
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null
  }

  setItem(key: string, value: string): void {
    if (this.failure) throw this.failure
    this.#items.set(key, value)
  }

  removeItem(key: string): void {
    this.#items.delete(key)
  }

  /** The list of messages under a key. */
  saved(key: string): Array<{ readonly msg: unknown }> {
    return JSON.parse(this.getItem(key) ?? '[]') as Array<{ readonly msg: unknown }>
  }
}
