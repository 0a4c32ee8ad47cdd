/** What a `WebSocket` object has to have: that of browsers and that of `ws` do. */
export interface WebSocketLike {
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: object) => void): void
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
  /** Resolves when the socket is gone. Idempotent. */
  close(): Promise<void>
}

/** Opens a socket and says what comes of it. Events may come late, after it was closed: the listener is to know. */
export function openSocket(WebSocket: WebSocketConstructor, url: string, listener: SocketListener): Socket {
  const socket = new WebSocket(url)
  const gone = new Promise<void>((resolve) => {
    socket.addEventListener('close', (event) => {
      resolve()
      const { code, reason } = event as Pick<CloseEvent, 'code' | 'reason'>
      listener.onClose(reason ? `${code}, ${reason}` : `${code}`)
    })
  })
  socket.addEventListener('open', () => listener.onOpen())
  socket.addEventListener('message', (event) => {
    const { data } = event as { readonly data: unknown }
    if (typeof data === 'string') listener.onText(data)
    else listener.onBinary()
  })
  // `close` always follows. Without a listener `ws` throws.
  socket.addEventListener('error', () => {})
  return {
    send: (text) => socket.send(text),
    close() {
      socket.close()
      return gone
    },
  }
}
