/** Things with rising offsets: added at the end, dropped from the front, found by offset. All steps are O(1) or O(log n). */
export class EntryQueue<Item extends { readonly offset: number }> {
  #items: (Item | undefined)[] = []
  #start = 0
  #head: number
  #trimmedTo: number

  /** @param start offset that comes before the first item's */
  constructor(start: number = 0) {
    this.#head = start
    this.#trimmedTo = start
  }

  /** Offset of the newest item ever added. */
  get head(): number {
    return this.#head
  }

  /** Offset of the newest item that was dropped; where it began, when none was. */
  get trimmedTo(): number {
    return this.#trimmedTo
  }

  get count(): number {
    return this.#items.length - this.#start
  }

  push(item: Item): void {
    this.#items.push(item)
    this.#head = item.offset
  }

  /** Drops the oldest item. */
  shift(): void {
    const item = this.#items[this.#start]
    if (!item) return
    this.#items[this.#start++] = undefined
    this.#trimmedTo = item.offset
    if (this.#start > 64 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start)
      this.#start = 0
    }
  }

  /** The item at an index from 0 to `count - 1`, oldest first. */
  at(index: number): Item {
    const item = this.#items[this.#start + index]
    if (!item) throw new RangeError(`No item at ${index} of ${this.count}`)
    return item
  }

  /** Index of the oldest item after the offset; `count` where there is none. */
  indexAfter(offset: number): number {
    if (offset >= this.#head) return this.count
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.at(middle).offset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
