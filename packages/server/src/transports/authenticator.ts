import type { IncomingMessage } from 'node:http'
import type { Logger } from 'pino'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Authenticate, Identity, Limits } from '../options.ts'

export interface AuthenticatorParts {
  readonly authenticate: Authenticate
  readonly limits: Limits
  readonly clock: Clock
  readonly logger: Logger
  /** Throws where the user must stay away. */
  readonly requireAllowed: (user: string | undefined) => void
}

/** Asks the application who sends a request, and takes no nonsense from it. */
export class Authenticator {
  readonly #parts: AuthenticatorParts

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts
  }

  /**
   * Rejects, and where the application answers at once throws, ChannelError `token_rejected` where the request is refused,
   * or the application fails or takes too long.
   *
   * @returns no promise where the application gives none: most ask for nothing, and there is nothing to wait for
   */
  identify(request: IncomingMessage): Identity | Promise<Identity> {
    let answer: Identity | null | PromiseLike<Identity | null>
    try {
      answer = this.#parts.authenticate(request)
    } catch (cause) {
      throw this.#failed(cause)
    }
    return isThenable(answer) ? this.#identifyLater(answer) : this.#check(answer)
  }

  async #identifyLater(answer: PromiseLike<Identity | null>): Promise<Identity> {
    let identity: Identity | null
    try {
      identity = await this.#inTime(answer)
    } catch (cause) {
      throw this.#failed(cause)
    }
    return this.#check(identity)
  }

  #check(identity: Identity | null): Identity {
    if (!identity) throw new ChannelError('token_rejected', 'Connecting needs a valid token, and there was none.')
    const flaw = findFlaw(identity, this.#parts.limits.nameLengthMax)
    if (flaw === undefined) {
      this.#parts.requireAllowed(identity.user)
      return identity
    }
    this.#parts.logger.error(`authenticate() answered no identity; the request was refused. ${flaw}`)
    throw new ChannelError('token_rejected', flaw)
  }

  #failed(cause: unknown): ChannelError {
    this.#parts.logger.error({ err: cause }, 'authenticate() failed; the request was refused')
    return new ChannelError('token_rejected', 'The identity could not be checked.', { cause })
  }

  async #inTime(answer: PromiseLike<Identity | null>): Promise<Identity | null> {
    const { limits, clock } = this.#parts
    let timer: Timer | undefined
    const tooLate = new Promise<never>((_, reject) => {
      timer = clock.after(limits.authenticationTimeoutMs, () => {
        reject(new Error(`authenticate() took longer than ${limits.authenticationTimeoutMs} ms`))
      })
    })
    try {
      return await Promise.race([answer, tooLate])
    } finally {
      timer?.stop()
    }
  }
}

/** Not only of promises of this realm: the application may use others. */
function isThenable<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** What is wrong with the application's answer, which no compiler may have looked at; undefined where nothing is. */
function findFlaw(identity: unknown, nameLengthMax: number): string | undefined {
  if (typeof identity !== 'object' || identity === null) return 'An identity is an object.'
  const { user, groups, expiresAt } = identity as Record<keyof Identity, unknown>
  const isName = (name: unknown): boolean => typeof name === 'string' && name.length > 0 && name.length <= nameLengthMax
  if (user !== undefined && !isName(user)) return `A user id is a string of 1 to ${nameLengthMax} characters.`
  if (groups !== undefined && !(Array.isArray(groups) && groups.every(isName))) {
    return `Groups are a list of strings of 1 to ${nameLengthMax} characters.`
  }
  if (expiresAt !== undefined && !Number.isFinite(expiresAt)) return 'An identity expires at a number of milliseconds.'
  return undefined
}
