import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Receipt } from './channel/channel.ts'
import { ChannelError } from './channel/channel-error.ts'
import { type Post, toDraft } from './channel/intake.ts'
import { Posting } from './channel/posting.ts'
import type { MessageTaker } from './current-channel.ts'
import { reasonOf, toError } from './http-problem.ts'
import { type Limits, resolveLimits } from './options.ts'

export interface HttpPosterOptions {
  /** Where the server is, as `https://messages.example.com`. */
  readonly url: string
  readonly apiKey?: string
  readonly logger: Logger
}

interface Waiting {
  readonly line: string
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: ChannelError) => void
}

const WAITING_MAX = 10_000
const BATCH_MAX = 500
const BATCH_BYTES_MAX = 1_048_576
const TRIES = 6
const RETRY_FIRST_MS = 100
const REQUEST_TIMEOUT_MS = 30_000

/**
 * Posts to a server over HTTP, from any process. Messages keep their order; those that wait go together. What fails for
 * a passing reason is tried again with the same id, so that no message is there twice.
 */
export class HttpPoster implements MessageTaker {
  readonly #endpoint: string
  readonly #options: HttpPosterOptions
  readonly #limits: Limits = resolveLimits({})
  #waiting: Waiting[] = []
  #isSending = false

  /** @throws TypeError where the url is not one */
  constructor(options: HttpPosterOptions) {
    if (!/^https?:/.test(options.url) || !URL.canParse(options.url)) {
      throw new TypeError(`'${options.url}' is not the url of a server, such as 'http://127.0.0.1:8787'.`)
    }
    this.#options = options
    this.#endpoint = `${options.url.replace(/\/+$/, '')}/api/messages`
  }

  /** @see {@link ServerChannel.post} */
  post(post: Post): Posting<Receipt> {
    return new Posting(this.#enqueue(post), (error) => {
      this.#options.logger.error({ err: error, sender: post.sender }, 'A message was not posted')
    })
  }

  async #enqueue(post: Post): Promise<Receipt> {
    const draft = toDraft(post, this.#limits, Date.now(), randomUUID)
    const { id, sender, body, bodyTypeName, channelType, audience, key, intervalMs } = draft
    const { ttlMs } = post
    if (this.#waiting.length >= WAITING_MAX) {
      throw new ChannelError(
        'too_many_posts',
        `${WAITING_MAX} posts wait for ${this.#options.url} already; await them.`,
      )
    }
    const rest = JSON.stringify({ sender, id, to: audience, bodyTypeName, channelType, key, intervalMs, ttlMs })
    const line = `${rest.slice(0, -1)},"body":${body}}`
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject })
      if (!this.#isSending) void this.#sendAll()
    })
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    // Posts of the same turn go together.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#sendBatch(this.#takeBatch())
    this.#isSending = false
  }

  #takeBatch(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { line } of this.#waiting) {
      bytes += line.length
      if (count > 0 && (bytes > BATCH_BYTES_MAX || count === BATCH_MAX)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #sendBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const receipts = await this.#sendWithRetry(batch)
      batch.forEach(({ resolve, reject }, index) => {
        const receipt = receipts[index]
        if (receipt) resolve(receipt)
        else reject(new ChannelError('server_unreachable', 'The server answered without a receipt.'))
      })
    } catch (error) {
      const failure =
        error instanceof ChannelError ? error : new ChannelError('internal', String(error), { cause: error })
      if (batch.length > 1 && !failure.retry) {
        // The server takes all lines or none: one that is wrong must not cost the others.
        for (const waiting of batch) await this.#sendBatch([waiting])
      } else for (const { reject } of batch) reject(failure)
    }
  }

  async #sendWithRetry(batch: readonly Waiting[]): Promise<readonly Receipt[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(batch)
      } catch (error) {
        if (!(error instanceof ChannelError) || !error.retry || attempt === TRIES) throw error
        await pause(RETRY_FIRST_MS * 2 ** (attempt - 1) * (0.5 + Math.random()))
      }
    }
  }

  async #send(batch: readonly Waiting[]): Promise<readonly Receipt[]> {
    const { apiKey, url } = this.#options
    let status: number
    let text: string
    try {
      const response = await fetch(this.#endpoint, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-ndjson',
          ...(apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` }),
        },
        body: batch.map(({ line }) => `${line}\n`).join(''),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      })
      status = response.status
      text = await response.text()
    } catch (cause) {
      throw new ChannelError(
        'server_unreachable',
        `There is no answer from ${url}: ${reasonOf(cause)}. Is the server running?`,
        { cause },
      )
    }
    if (status === 201)
      return text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Receipt)
    throw toError(status, text, url)
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
