import { HubConnection, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { type Crm, type CrmOptions, startCrm } from '../src/crm.ts'

export interface ReceivedMessage {
  readonly Header: { readonly Sender: string }
  readonly Body: unknown
}

const closers: (() => Promise<void>)[] = []

/** The example with orders of its own, as fast as it goes, on a port that is free. */
export async function startTestCrm(options: Partial<CrmOptions> = {}): Promise<Crm> {
  const crm = await startCrm({ port: 0, database: ':memory:', stepMs: 0, ...options })
  closers.push(() => crm.close())
  return crm
}

/** A window of this user's: collects what it gets, by somebody else's client. */
export async function openWindow(crm: Crm, user: string): Promise<UserWindow> {
  const connection = new HubConnectionBuilder()
    .withUrl(`${crm.url}/msg?user=${user}`)
    .configureLogging(LogLevel.None)
    .build()
  const window = new UserWindow(connection)
  await connection.start()
  closers.push(() => connection.stop())
  return window
}

export class UserWindow {
  readonly messages: ReceivedMessage[] = []
  readonly #wanted = new Set<{ readonly sender: string; readonly resolve: (message: ReceivedMessage) => void }>()

  constructor(connection: HubConnection) {
    connection.on('ServerMessage', (message: ReceivedMessage) => {
      this.messages.push(message)
      for (const want of this.#wanted) {
        if (want.sender !== message.Header.Sender) continue
        this.#wanted.delete(want)
        want.resolve(message)
      }
    })
  }

  /** The first message of this sender, be it here already or yet to come. */
  message(sender: string): Promise<ReceivedMessage> {
    const found = this.messages.find(({ Header }) => Header.Sender === sender)
    if (found) return Promise.resolve(found)
    return new Promise((resolve) => this.#wanted.add({ sender, resolve }))
  }

  bodies(sender: string): unknown[] {
    return this.messages.filter(({ Header }) => Header.Sender === sender).map(({ Body }) => Body)
  }
}

export async function closeAll(): Promise<void> {
  // The last one first: windows before their server.
  for (let close = closers.pop(); close; close = closers.pop()) await close()
}
