import type { Client } from 'pg'
import { drop, openPostgres } from './postgres-client.ts'

interface LinkParts {
  readonly connectionString: string
  readonly purpose: string
  /** Makes a new connection ready; where it rejects, the connection is given up and tried again. */
  readonly onUp: (client: Client) => Promise<void>
  /** It is there, also for others. */
  readonly onReady?: () => void
  readonly onDown?: (error: unknown) => void
}

const RETRY_MS_MIN = 50
const RETRY_MS_MAX = 2000
const CLOSE_MS_MAX = 2000

/** Keeps one connection to a database: where it is lost, makes another one, later and later while that fails. */
export class PostgresLink {
  /** Why there is no connection; undefined while there is one. */
  failure: Error | undefined
  readonly #parts: LinkParts
  #client: Client | undefined
  #timer: NodeJS.Timeout | undefined
  #retryMs = RETRY_MS_MIN
  #isClosed = false
  /** What is under way to have a connection. */
  #connecting: Promise<void> = Promise.resolve()

  constructor(parts: LinkParts) {
    this.#parts = parts
  }

  /** The connection, while there is one that is ready. */
  get client(): Client | undefined {
    return this.#client
  }

  /** Connects for the first time. Rejects where that fails, and does not try again. */
  start(): Promise<void> {
    const connecting = this.#connect()
    this.#connecting = connecting.catch(() => {})
    return connecting
  }

  /** Gives the connection up and makes another one. */
  renew(): void {
    if (this.#client) drop(this.#client)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#connecting
    const client = this.#client
    this.#client = undefined
    if (!client) return
    // Ends in good order what was written, but does not wait for a server that is silent.
    const end = client.end().catch(() => {})
    const silence = setTimeout(() => drop(client), CLOSE_MS_MAX)
    await end
    clearTimeout(silence)
  }

  async #connect(): Promise<void> {
    const client = await openPostgres(this.#parts.connectionString, this.#parts.purpose)
    let isUp = false
    client.once('end', () => {
      if (isUp) this.#lost(new Error('The connection to PostgreSQL was lost.'))
    })
    try {
      await this.#parts.onUp(client)
    } catch (error) {
      drop(client)
      throw error
    }
    if (client.connection.stream.destroyed) throw new Error('The connection to PostgreSQL was lost.')
    isUp = true
    this.#client = client
    this.#retryMs = RETRY_MS_MIN
    this.failure = undefined
    this.#parts.onReady?.()
  }

  #again(): void {
    this.#connecting = this.#connect().catch((reason: unknown) => this.#lost(reason))
  }

  #lost(error: unknown): void {
    this.#client = undefined
    if (this.#isClosed) return
    this.failure = error instanceof Error ? error : new Error(String(error))
    this.#parts.onDown?.(error)
    this.#timer = setTimeout(() => this.#again(), this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
  }
}
