import type { Attempt, Transport, TransportKind, TransportListener } from './transport.ts'

/** One socket, without a negotiation before it: the shortest way. */
export const webSocket: TransportKind = { name: 'websocket', isTextOnly: false, open }

function open({ url, accessToken, WebSocket }: Attempt, listener: TransportListener): Transport {
  if (!WebSocket) throw new TypeError('There is no global WebSocket here; pass one as `options.WebSocket`.')
  const target = new URL(url)
  target.protocol = target.protocol.replace('http', 'ws')
  // Browsers can't set headers on a WebSocket.
  if (accessToken) target.searchParams.set('access_token', accessToken)
  const socket = new WebSocket(target.href)
  socket.binaryType = 'arraybuffer'
  const gone = new Promise<void>((resolve) => {
    socket.addEventListener('close', (event) => {
      resolve()
      const { code, reason } = event as Pick<CloseEvent, 'code' | 'reason'>
      listener.onClose(reason ? `${code}, ${reason}` : `${code}`)
    })
  })
  socket.addEventListener('open', () => listener.onOpen())
  socket.addEventListener('message', (event) => listener.onData((event as Pick<MessageEvent<unknown>, 'data'>).data))
  // `close` always follows. Without a listener `ws` throws.
  socket.addEventListener('error', () => {})
  return {
    send: (data) => socket.send(data),
    close() {
      socket.close()
      return gone
    },
  }
}
