const CAPACITY_MIN = 8

/**
 * Things with rising offsets: added at the end, dropped from the front, found by offset. All steps are O(1) or O(log n). In
 * a ring, so that one that stays as long as it is moves nothing and allocates nothing.
 */
export class EntryQueue<Item extends { readonly offset: number }> {
  /** Of a length that is a power of two: the places go round in it. */
  #items: (Item | undefined)[] = []
  #start = 0
  #count = 0
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
    return this.#count
  }

  push(item: Item): void {
    if (this.#count === this.#items.length) this.#resize(Math.max(CAPACITY_MIN, this.#count * 2))
    this.#items[(this.#start + this.#count) & (this.#items.length - 1)] = item
    this.#count++
    this.#head = item.offset
  }

  /** Drops the oldest item. */
  shift(): void {
    const item = this.#items[this.#start]
    if (!item) return
    this.#items[this.#start] = undefined
    this.#start = (this.#start + 1) & (this.#items.length - 1)
    this.#count--
    this.#trimmedTo = item.offset
    if (this.#items.length > CAPACITY_MIN && this.#count * 4 <= this.#items.length) this.#resize(this.#items.length / 2)
  }

  /** The item at an index from 0 to `count - 1`, oldest first. */
  at(index: number): Item {
    const item = index < this.#count ? this.#items[(this.#start + index) & (this.#items.length - 1)] : undefined
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

  #resize(capacity: number): void {
    const items: (Item | undefined)[] = []
    for (let index = 0; index < this.#count; index++) items.push(this.at(index))
    while (items.length < capacity) items.push(undefined)
    this.#items = items
    this.#start = 0
  }
}
