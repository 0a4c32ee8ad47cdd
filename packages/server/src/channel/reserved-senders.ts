/** Senders to which Creatio's clients and servers give a meaning of their own. Source: PARITY 2.1, 2.5, 5. */
export const reservedSenders = {
  /** From a client: a command to the server, such as `ping`. */
  consoleCommand: 'ConsoleCommand',
  /** From the server: its answer to a command. */
  commandService: 'CommandService',
  /** From a client: to everybody. */
  toAll: 'BroadcastMsg',
  /** From a client: to the same user's other windows. */
  toOwn: 'PTPMsg',
  /** From a client: to the server. */
  toServer: 'ServerMsg',
} as const

const names: ReadonlySet<string> = new Set(Object.values(reservedSenders))

/** Under which only the server's own code speaks. Source: PARITY 1.1, 2.1. */
const serverSenders: ReadonlySet<string> = new Set([reservedSenders.commandService, 'ProcessEngine'])

export function isServerSender(sender: string): boolean {
  return serverSenders.has(sender)
}

export function isReservedSender(sender: string): boolean {
  return names.has(sender)
}
