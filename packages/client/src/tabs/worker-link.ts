import type { OpenLink, ToTab } from './tab-message.ts'

/** First of all on a port: by this lock the worker learns that the tab is gone, however it goes. */
export interface Hello {
  readonly kind: 'hello'
  readonly lock: string
}

/**
 * The way to a `SharedWorker` that has the connection. It lives as long as a tab of the browser does, and no tab's sleep
 * slows it down.
 *
 * @param name tells the worker what to connect to, and is its identity: tabs with the same one share it
 */
export function createWorkerLink(url: string, name: string, tab: string): OpenLink {
  return (listener) => {
    const leaving = new AbortController()
    const { signal } = leaving
    const fail = (): void => {
      if (!signal.aborted) listener.onFailure()
    }
    let port: MessagePort | undefined
    try {
      const worker = new SharedWorker(url, { name })
      // Its script could not be had: the server has none, or a policy forbids it.
      worker.addEventListener('error', fail, { signal })
      port = worker.port
    } catch {
      queueMicrotask(fail)
    }
    port?.addEventListener('message', ({ data }: MessageEvent<ToTab>) => listener.onMessage(data), { signal })
    port?.start()
    const lock = `serverchannel tab ${tab}`
    // Held until the link is closed, or the tab is gone.
    navigator.locks
      .request(lock, { signal }, () => {
        port?.postMessage({ kind: 'hello', lock } satisfies Hello)
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      })
      .catch(() => {})
    return {
      send: (message) => port?.postMessage(message),
      close() {
        leaving.abort()
        port?.close()
      },
    }
  }
}
