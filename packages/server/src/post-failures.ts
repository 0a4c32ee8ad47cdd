import type { Logger } from 'pino'

/** Posts that failed and that nobody awaited: each is logged and counted. */
export class PostFailures {
  count = 0
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  unobserved(error: unknown, sender: unknown): void {
    this.count++
    this.#logger.error({ err: error, sender }, 'A message was not posted')
  }
}
