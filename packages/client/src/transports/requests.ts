import type { Attempt, Transport, TransportListener, Verdict } from './transport.ts'

/** What the server answers to a negotiation. Source: SIGNALR 2.1. */
interface Negotiation {
  readonly connectionId?: string
  readonly connectionToken?: string
  readonly availableTransports?: ReadonlyArray<{ readonly transport?: unknown }>
  readonly url?: string
  readonly accessToken?: string
  readonly error?: string
}

/** A request of the connection. Rejects unless it is answered with success. */
export type Ask = (init?: RequestInit) => Promise<Response>

/** Why requests can't go on. */
interface Failure extends Error {
  readonly verdict?: Verdict
}

const REDIRECTS_MAX = 10

/**
 * A connection over requests: it is negotiated, `receive` brings what comes from the server, and what goes there goes in
 * requests of its own, one at a time, so that the order holds. Ends with the first request that fails, or with `receive`.
 *
 * @param name the transport's, as servers name it
 * @param saysGoodbye whether the server is to be told of the end
 */
export function openRequests(
  attempt: Attempt,
  listener: TransportListener,
  name: string,
  saysGoodbye: boolean,
  receive: (ask: Ask) => Promise<void>,
): Transport {
  const ending = new AbortController()
  const waiting: Array<string | Uint8Array<ArrayBuffer>> = []
  let { accessToken } = attempt
  let connection: URL | undefined
  let isSending = false

  const request = async (url: URL, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers)
    if (accessToken) headers.set('Authorization', `Bearer ${accessToken}`)
    return (attempt.fetch ?? fetch)(url, {
      cache: 'no-store',
      credentials: 'include',
      signal: ending.signal,
      ...init,
      headers,
    })
  }

  const ask = async (url: URL, init: RequestInit): Promise<Response> => {
    const response = await request(url, init)
    if (!response.ok) throw failure(`status ${response.status}`)
    return response
  }

  const negotiate = async (hub: URL): Promise<Negotiation> => {
    const url = new URL(hub)
    url.pathname = url.pathname.replace(/\/?$/, '/negotiate')
    url.searchParams.set('negotiateVersion', '1')
    let verdict: Verdict = 'unreachable'
    try {
      const response = await request(url, { method: 'POST' })
      verdict = 'refused'
      if (!response.ok) throw new Error(`status ${response.status}`)
      return (await response.json()) as Negotiation
    } catch (error) {
      throw failure(describe(error), verdict)
    }
  }

  /** The url of a connection that is open to be used. */
  const prepare = async (): Promise<URL> => {
    let hub = new URL(attempt.url)
    for (let redirects = 0; redirects < REDIRECTS_MAX; redirects++) {
      const { url, error, availableTransports, ...answer } = await negotiate(hub)
      if (error) throw failure(error, 'refused')
      if (url) {
        hub = new URL(url, hub)
        for (const [key, value] of attempt.url.searchParams) hub.searchParams.set(key, value)
        accessToken = answer.accessToken ?? accessToken
        continue
      }
      if (!availableTransports?.some(({ transport }) => transport === name)) {
        throw failure(`the server does not offer ${name}`)
      }
      hub.searchParams.set('id', answer.connectionToken ?? answer.connectionId ?? '')
      return hub
    }
    throw failure('too many redirects', 'refused')
  }

  const run = async (): Promise<void> => {
    const url = await prepare()
    connection = url
    await receive((init = {}) => ask(url, init))
    throw new Error('the server ended it')
  }

  const end = (error: unknown): void => {
    if (ending.signal.aborted) return
    ending.abort()
    listener.onClose(describe(error), (error as Failure).verdict)
  }

  const flush = async (url: URL): Promise<void> => {
    isSending = true
    for (let body = waiting.shift(); body !== undefined; body = waiting.shift())
      await ask(url, { method: 'POST', body })
    isSending = false
  }

  run().catch(end)
  return {
    send(data) {
      waiting.push(data)
      if (connection && !isSending) flush(connection).catch(end)
    },
    async close() {
      ending.abort()
      if (!saysGoodbye || !connection) return
      const url = connection
      connection = undefined
      // Nobody waits for an answer: the page may be gone by then.
      await request(url, { method: 'DELETE', signal: null, keepalive: true }).catch(() => {})
    },
  }
}

function failure(message: string, verdict?: Verdict): Failure {
  return Object.assign(new Error(message), { verdict })
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
