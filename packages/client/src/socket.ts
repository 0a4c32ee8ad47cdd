/**
 * What a `WebSocket` class has to have: the browsers' and that of `ws` do. Its events are checked as they come, so the
 * handlers' types are left open.
 */
export interface WebSocketLike {
  onopen: unknown
  onmessage: unknown
  onclose: unknown
  onerror: unknown
  send(data: string): void
  close(): void
}

/** A `WebSocket` class. */
export type WebSocketConstructor = new (url: string) => WebSocketLike

export interface SocketListener {
  onOpen(): void
  onText(text: string): void
  /** Something that is not text came. */
  onBinary(): void
  /** Why, as far as the socket says. */
  onClose(reason: string): void
}

export interface Socket {
  send(text: string): void
  /** From here on the listener hears nothing. Resolves when the socket is gone. Idempotent. */
  close(): Promise<void>
}

/** Opens a socket whose late events, after it was closed or was found closed, reach nobody. */
export function openSocket(WebSocket: WebSocketConstructor, url: string, listener: SocketListener): Socket {
  const socket = new WebSocket(url)
  let isLive = true
  const gone = new Promise<void>((resolve) => {
    socket.onclose = (event: { code?: unknown; reason?: unknown }) => {
      resolve()
      if (!isLive) return
      isLive = false
      listener.onClose(event.reason ? `${event.code}, ${event.reason}` : `${event.code}`)
    }
  })
  socket.onopen = () => {
    if (isLive) listener.onOpen()
  }
  socket.onmessage = ({ data }: { data: unknown }) => {
    if (!isLive) return
    if (typeof data === 'string') listener.onText(data)
    else listener.onBinary()
  }
  // `close` always follows. Without a listener `ws` throws.
  socket.onerror = () => {}
  return {
    send: (text) => socket.send(text),
    close() {
      if (isLive) socket.close()
      isLive = false
      return gone
    },
  }
}
