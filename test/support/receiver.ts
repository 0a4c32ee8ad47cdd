import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'

export interface Received {
  readonly Id: string
  readonly Header: { readonly Sender: string }
  readonly Body: unknown
  readonly Position?: string
}

/** A stock SignalR client that keeps what it gets: a judge that is not our own. */
export interface Receiver {
  /** The next messages, once there are so many. */
  take(count: number): Promise<readonly Received[]>
  close(): Promise<void>
}

export async function receive(url: string): Promise<Receiver> {
  const connection = new HubConnectionBuilder()
    .withUrl(url, { transport: HttpTransportType.WebSockets })
    .configureLogging(LogLevel.None)
    .build()
  const waiting: Received[] = []
  let onMessage: (() => void) | undefined
  connection.on('ServerMessage', (message: Received) => {
    waiting.push(message)
    onMessage?.()
  })
  await connection.start()
  return {
    async take(count) {
      while (waiting.length < count) {
        await new Promise<void>((resolve) => {
          onMessage = resolve
        })
      }
      return waiting.splice(0, count)
    },
    close: () => connection.stop(),
  }
}
