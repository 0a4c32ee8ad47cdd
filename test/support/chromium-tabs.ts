import { ARGUMENTS, WHOLE_CHROMIUM } from './browser.ts'
import { CommandSocket } from './command-socket.ts'
import { RemoteBrowser } from './remote-browser.ts'

/** Debian's Chromium with tabs of which one is seen, as a user has it: playwright makes every page look as if it were seen. */
export class ChromiumTabs {
  readonly #browser: RemoteBrowser
  readonly #socket: CommandSocket

  private constructor(browser: RemoteBrowser, socket: CommandSocket) {
    this.#browser = browser
    this.#socket = socket
  }

  static async launch(args: readonly string[] = []): Promise<ChromiumTabs> {
    const browser = await RemoteBrowser.launch(
      WHOLE_CHROMIUM,
      (profile) => [
        '--headless=new',
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        '--no-first-run',
        '--disable-background-networking',
        ...ARGUMENTS,
        ...args,
        'about:blank',
      ],
      /DevTools listening on (ws:\/\/\S+)/,
    )
    try {
      return new ChromiumTabs(browser, await CommandSocket.connect('Chromium', browser.url))
    } catch (error) {
      await browser.close()
      throw error
    }
  }

  /** In front of all others. */
  async open(url: string): Promise<ChromiumTab> {
    const { targetId } = await this.#socket.send('Target.createTarget', { url })
    const { sessionId } = await this.#socket.send('Target.attachToTarget', { targetId, flatten: true })
    return new ChromiumTab(this.#socket, String(targetId), String(sessionId))
  }

  async close(): Promise<void> {
    await this.#browser.close(() => this.#socket.send('Browser.close', {}))
    this.#socket.close()
  }
}

/** One tab. The others are hidden while it is shown. */
export class ChromiumTab {
  readonly #socket: CommandSocket
  readonly #targetId: string
  readonly #sessionId: string

  constructor(socket: CommandSocket, targetId: string, sessionId: string) {
    this.#socket = socket
    this.#targetId = targetId
    this.#sessionId = sessionId
  }

  async show(): Promise<void> {
    await this.#socket.send('Target.activateTarget', { targetId: this.#targetId })
  }

  /** As the browser does with a hidden page after a while: none of its code runs any more. */
  async freeze(): Promise<void> {
    await this.#send('Page.setWebLifecycleState', { state: 'frozen' })
  }

  async unfreeze(): Promise<void> {
    await this.#send('Page.setWebLifecycleState', { state: 'active' })
  }

  /** What the expression, or its promise, comes to: what JSON can carry. */
  async run(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value) ?? 'null')`,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails) throw new Error((exceptionDetails as { readonly text: string }).text)
    return JSON.parse((result as { readonly value: string }).value) as unknown
  }

  async #send(method: string, params: object): Promise<Record<string, unknown>> {
    return await this.#socket.send(method, params, { sessionId: this.#sessionId })
  }
}
