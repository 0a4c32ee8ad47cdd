import type { Clock, Timer } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import { HubException } from './hub-exception.ts'
import { Upload } from './upload.ts'
import type { Validator } from './validator.ts'

/**
 * The streams that one client sends. A stock client sends without being asked, so a full stream can only be helped by
 * not reading the client on; that would last for ever where a method doesn't read its stream, so such a stream fails
 * after a while.
 */
export class Uploads {
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #uploads = new Map<string, Upload>()
  #timer: Timer | undefined

  /** @param onChange told when it may have become full, or have room again */
  constructor(limits: Limits, clock: Clock, onChange: () => void) {
    this.#limits = limits
    this.#clock = clock
    this.#onChange = onChange
  }

  get count(): number {
    return this.#uploads.size
  }

  /** Whether the client is not to be read on. */
  get isFull(): boolean {
    for (const upload of this.#uploads.values()) if (this.#isFull(upload)) return true
    return false
  }

  has(streamId: string): boolean {
    return this.#uploads.has(streamId)
  }

  open(streamId: string, validator: Validator | undefined): Upload {
    const upload = new Upload(this.#limits.uploadItemsMax, validator, () => this.#taken())
    this.#uploads.set(streamId, upload)
    return upload
  }

  /** Items of a stream that nobody knows, or that its reader has left, are passed over (SIGNALR 2.8 J4). */
  push(streamId: string, item: unknown): void {
    const upload = this.#uploads.get(streamId)
    if (!upload) return
    upload.push(item)
    if (!this.#isFull(upload)) return
    this.#timer ??= this.#startTimer()
    this.#onChange()
  }

  /** The client has sent all of it. */
  complete(streamId: string, error: string | undefined): void {
    this.#uploads.get(streamId)?.complete(error)
    this.#uploads.delete(streamId)
    this.#taken()
  }

  /** The method that reads them is over. */
  close(streamIds: readonly string[]): void {
    for (const streamId of streamIds) {
      void this.#uploads.get(streamId)?.return()
      this.#uploads.delete(streamId)
    }
    this.#taken()
  }

  /** The client is gone. */
  failAll(error: Error): void {
    for (const upload of this.#uploads.values()) upload.fail(error)
    this.#uploads.clear()
    this.#timer?.stop()
  }

  #isFull(upload: Upload): boolean {
    return upload.itemCount >= this.#limits.uploadItemsHigh
  }

  /** There is more room somewhere: who is still full has its time anew. */
  #taken(): void {
    if (!this.#timer) return
    this.#timer.stop()
    this.#timer = this.isFull ? this.#startTimer() : undefined
    if (!this.#timer) this.#onChange()
  }

  #startTimer(): Timer {
    const { uploadStalledMs } = this.#limits
    return this.#clock.after(uploadStalledMs, () => {
      this.#timer = undefined
      for (const upload of this.#uploads.values()) {
        if (this.#isFull(upload)) upload.fail(new HubException(`The stream was not read for ${uploadStalledMs} ms.`))
      }
      this.#onChange()
    })
  }
}
