import { WebSocket } from 'ws'

const COMMAND_MS_MAX = 30_000

interface Answer {
  readonly id?: number
  readonly result?: Record<string, unknown>
  /** Of WebDriver BiDi its name, of Chromium's protocol what it is. */
  readonly error?: string | { readonly message: string }
  readonly message?: string
}

/** Commands to a browser, in the shape that WebDriver BiDi and Chromium's DevTools protocol share. */
export class CommandSocket {
  readonly #browser: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #lastId = 0

  private constructor(browser: string, socket: WebSocket) {
    this.#browser = browser
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer
      if (answer.id === undefined) return
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
  }

  static async connect(browser: string, url: string): Promise<CommandSocket> {
    const socket = new WebSocket(url)
    await new Promise<void>((resolve, reject) => void socket.once('open', resolve).once('error', reject))
    return new CommandSocket(browser, socket)
  }

  /**
   * @param to what else names whom it is for
   * @throws Error with what the browser says
   */
  async send(method: string, params: object, to: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#lastId
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve))
    this.#socket.send(JSON.stringify({ id, method, params, ...to }))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.#browser} does not answer ${method}`)), COMMAND_MS_MAX)
    })
    const { result, error, message } = await Promise.race([answered, late]).finally(() => clearTimeout(timer))
    if (error === undefined) return result ?? {}
    const what = typeof error === 'string' ? `${error}, ${message}` : error.message
    throw new Error(`${this.#browser} says to ${method}: ${what}`)
  }

  close(): void {
    this.#socket.terminate()
  }
}
