/** Whoever is to look for something that nobody tells of looks soon after there was something, and ever more seldom then. */
export class Looks {
  readonly #onLook: () => void
  readonly #msMax: number
  #ms: number
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(msMax: number, onLook: () => void) {
    this.#msMax = msMax
    this.#onLook = onLook
    this.#ms = msMax
  }

  /** Looks after so long, then after twice that, and so on. Where it looks sooner than that anyway, it goes on so. */
  soon(ms: number): void {
    if (this.#isClosed || (this.#timer && this.#ms <= ms)) return
    clearTimeout(this.#timer)
    this.#ms = ms
    this.#arm()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      this.#ms = Math.min(this.#ms * 2, this.#msMax)
      this.#arm()
      this.#onLook()
    }, this.#ms)
  }
}
