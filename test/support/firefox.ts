import { accessSync, constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandSocket } from './command-socket.ts'
import { RemoteBrowser } from './remote-browser.ts'

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
  readonly #browser: RemoteBrowser
  readonly #socket: CommandSocket

  private constructor(browser: RemoteBrowser, socket: CommandSocket) {
    this.#browser = browser
    this.#socket = socket
  }

  static async launch(): Promise<Firefox> {
    const browser = await RemoteBrowser.launch(FIREFOX, argsFor, /WebDriver BiDi listening on (ws:\/\/\S+)/, {
      MOZ_CRASHREPORTER_DISABLE: '1',
    })
    try {
      const socket = await CommandSocket.connect('Firefox', `${browser.url}/session`)
      await socket.send('session.new', { capabilities: {} })
      return new Firefox(browser, socket)
    } catch (error) {
      await browser.close()
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
    return await this.#socket.send(method, params)
  }

  async close(): Promise<void> {
    this.#socket.close()
    await this.#browser.close()
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

function argsFor(profile: string): readonly string[] {
  const lines = Object.entries(PREFERENCES).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
  )
  writeFileSync(join(profile, 'user.js'), lines.join('\n'))
  return [
    '--headless',
    '--no-remote',
    '--new-instance',
    '--remote-debugging-port=0',
    '--profile',
    profile,
    'about:blank',
  ]
}
