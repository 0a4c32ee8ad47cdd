import { expectEqual, Failure } from './check.ts'
import { type Answer, ask, bearer, withQuery } from './http.ts'
import { Inbox } from './inbox.ts'
import type { Scene } from './scene.ts'
import type { Piece, Wire } from './wire.ts'

/** Long polling as clients do it: a poll is always open, and POSTs beside it. */
export class Polling implements Wire {
  readonly #scene: Scene
  readonly #path: string
  readonly #headers: Record<string, string>
  readonly #pieces = new Inbox<Piece>()
  #count = 0

  private constructor(scene: Scene, hub: string, id: string, token: string | undefined) {
    this.#scene = scene
    this.#path = withQuery(hub, { id })
    this.#headers = bearer(token)
  }

  /** Sends the first poll, and goes on polling in the background. */
  static async open(scene: Scene, hub: string, id: string, token?: string): Promise<Polling> {
    const polling = new Polling(scene, hub, id, token)
    const first = await polling.poll()
    expectEqual(first.status, 200, 'status of the first poll')
    // What goes wrong shows in that nothing comes any more.
    void polling.#run().catch(() => polling.#pieces.end())
    return polling
  }

  poll(): Promise<Answer> {
    return ask(this.#scene, withQuery(this.#path, { _: ++this.#count }), { headers: this.#headers })
  }

  async send(data: string | Buffer): Promise<void> {
    const { status } = await ask(this.#scene, this.#path, { method: 'POST', body: data, headers: this.#headers })
    expectEqual(status, 200, 'status of the POST')
  }

  next(): Promise<Piece | undefined> {
    return this.#pieces.next()
  }

  async #run(): Promise<void> {
    for (;;) {
      const { waitingFor } = this.#scene
      const polled = this.poll()
      // It is no poll that a check waits for.
      this.#scene.waitingFor = waitingFor
      const { status, body } = await polled
      if (status !== 200) {
        if (status !== 204) throw new Failure('a poll that ends with 204', String(status))
        break
      }
      if (body.length > 0) this.#pieces.push({ data: body, isBinary: true })
    }
    this.#pieces.end()
  }
}
