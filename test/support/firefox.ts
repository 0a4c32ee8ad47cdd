import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'

/** Debian's. Its own `firefox` of playwright is a patched one. */
const FIREFOX = '/usr/bin/firefox-esr'

/** For a network without a way out, and for a profile that nobody has seen before. */
const PREFERENCES: Readonly<Record<string, string | number | boolean>> = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'browser.newtabpage.enabled': false,
  'browser.region.network.url': '',
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'captivedetect.canonicalURL': '',
  'datareporting.policy.dataSubmissionEnabled': false,
  'dom.push.serverURL': '',
  'extensions.getAddons.cache.enabled': false,
  'extensions.systemAddon.update.enabled': false,
  'extensions.update.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.prefetch-next': false,
  'network.speculative.enabled': false,
  'remote.prefs.recommended': true,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
  'toolkit.telemetry.server': '',
}
const START_MS_MAX = 30_000
const COMMAND_MS_MAX = 30_000

interface Answer {
  readonly id?: number
  readonly type: 'success' | 'error' | 'event'
  readonly result?: Record<string, unknown>
  readonly error?: string
  readonly message?: string
}

/** @returns why there is none here; undefined where there is one */
export function firefoxMissing(): string | undefined {
  try {
    accessSync(FIREFOX, constants.X_OK)
    return undefined
  } catch {
    return `there is no ${FIREFOX}: scripts/engines.sh installs it`
  }
}

/** A real Firefox, told what to do by WebDriver BiDi. Source: w3c.github.io/webdriver-bidi. */
export class Firefox {
  readonly #process: ChildProcess
  readonly #profile: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #lastId = 0

  private constructor(child: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = child
    this.#profile = profile
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer
      if (answer.id === undefined) return
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
  }

  static async launch(): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), 'serverchannel-firefox-'))
    const lines = Object.entries(PREFERENCES).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
    )
    writeFileSync(join(profile, 'user.js'), lines.join('\n'))
    const args = ['--headless', '--no-remote', '--new-instance', '--remote-debugging-port=0', '--profile', profile]
    const child = spawn(FIREFOX, [...args, 'about:blank'], {
      // Its home would be made for it, beside the tester's own.
      env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    try {
      const socket = new WebSocket(`${await whereItListens(child)}/session`)
      await once(socket, 'open')
      const firefox = new Firefox(child, profile, socket)
      await firefox.send('session.new', { capabilities: {} })
      return firefox
    } catch (error) {
      await end(child, profile)
      throw error
    }
  }

  /** A window that shares nothing with another one. */
  async newPage(): Promise<FirefoxPage> {
    const { userContext } = await this.send('browser.createUserContext', {})
    const { context } = await this.send('browsingContext.create', { type: 'window', userContext })
    return new FirefoxPage(this, String(context), String(userContext))
  }

  /** @throws Error with what Firefox says */
  async send(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.#lastId
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve))
    this.#socket.send(JSON.stringify({ id, method, params }))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Firefox does not answer ${method}`)), COMMAND_MS_MAX)
    })
    const { type, result, error, message } = await Promise.race([answered, late]).finally(() => clearTimeout(timer))
    if (type === 'error') throw new Error(`Firefox says to ${method}: ${error}, ${message}`)
    return result ?? {}
  }

  async close(): Promise<void> {
    this.#socket.terminate()
    await end(this.#process, this.#profile)
  }
}

/** A page of it, as far as the tests need one. */
export class FirefoxPage {
  readonly #firefox: Firefox
  readonly #context: string
  readonly #userContext: string

  constructor(firefox: Firefox, context: string, userContext: string) {
    this.#firefox = firefox
    this.#context = context
    this.#userContext = userContext
  }

  /** Until it is loaded. */
  async goto(url: string): Promise<void> {
    await this.#firefox.send('browsingContext.navigate', { context: this.#context, url, wait: 'complete' })
  }

  async reload(): Promise<void> {
    await this.#firefox.send('browsingContext.reload', { context: this.#context, wait: 'complete' })
  }

  /** Steps in the page's history, such as -1. */
  async traverse(delta: number): Promise<void> {
    await this.#firefox.send('browsingContext.traverseHistory', { context: this.#context, delta })
  }

  /** Runs the function in the page, with an argument and a result that JSON can carry. */
  async evaluate<Result, Argument = undefined>(
    run: (argument: Argument) => Result | Promise<Result>,
    argument?: Argument,
  ): Promise<Result> {
    const answer = await this.#firefox.send('script.callFunction', {
      functionDeclaration: `async (text) => JSON.stringify(await (${run.toString()})(JSON.parse(text))) ?? 'null'`,
      arguments: [{ type: 'string', value: JSON.stringify(argument ?? null) }],
      target: { context: this.#context },
      awaitPromise: true,
    })
    const { result, exceptionDetails } = answer as {
      readonly result?: { readonly value: string }
      readonly exceptionDetails?: { readonly text: string }
    }
    if (!result) throw new Error(`In Firefox: ${exceptionDetails?.text}`)
    return JSON.parse(result.value) as Result
  }

  async close(): Promise<void> {
    await this.#firefox.send('browser.removeUserContext', { userContext: this.#userContext })
  }
}

async function whereItListens(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('Firefox has no output')
  const lines = createInterface(child.stderr)
  const said: string[] = []
  const timer = setTimeout(() => lines.close(), START_MS_MAX)
  try {
    for await (const line of lines) {
      said.push(line)
      const url = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(line)?.[1]
      if (url) return url
    }
  } finally {
    clearTimeout(timer)
    // What else it says is of no interest, and has to go somewhere.
    child.stderr.resume()
  }
  throw new Error(`Firefox does not say where it listens: ${said.join('\n')}`)
}

async function end(child: ChildProcess, profile: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
}
