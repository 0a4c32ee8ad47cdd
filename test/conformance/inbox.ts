/** What came and was not taken yet, in order. */
export class Inbox<Item> {
  readonly #items: Item[] = []
  #isEnded = false
  #wake: () => void = () => {}

  push(item: Item): void {
    this.#items.push(item)
    this.#wake()
  }

  end(): void {
    this.#isEnded = true
    this.#wake()
  }

  get length(): number {
    return this.#items.length
  }

  /** The next one, once it has come; undefined where none comes any more. One may wait at a time. */
  async next(): Promise<Item | undefined> {
    while (this.#items.length === 0 && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#items.shift()
  }
}
