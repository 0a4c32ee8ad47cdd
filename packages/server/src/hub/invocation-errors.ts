import { HubException } from './hub-exception.ts'

/** What .NET's server answers to calls that fail, word by word. Source: SIGNALR 2.9. */
export const invocationErrors = {
  unknownMethod: (target: string): string => `${failedToInvoke(target)} HubException: Method does not exist.`,
  wrongArguments: (target: string): string => failedToInvoke(target),
  methodThrew: (target: string): string => `An unexpected error occurred invoking '${target}' on the server.`,
  streamFailed: 'An error occurred on the server while streaming results.',
  unauthorized: (target: string): string => `Failed to invoke '${target}' because user is unauthorized`,
  streamingByInvoke: (target: string): string =>
    `The client attempted to invoke the streaming '${target}' method with a non-streaming invocation.`,
  invokeByStreaming: (target: string): string =>
    `The client attempted to invoke the non-streaming '${target}' method with a streaming invocation.`,
  idInUse: (invocationId: string): string => `Invocation ID '${invocationId}' is already in use.`,
  streamCount: (sent: number, expected: number): string =>
    `Client sent ${sent} stream(s), Hub method expects ${expected}.`,
  noStream: (target: string): string =>
    `The value returned by the streaming method '${target}' is not a ChannelReader<> or IAsyncEnumerable<>.`,
} as const

export const CLOSED_WITH_ERROR = 'Connection closed with an error.'

/**
 * The text with what is said of the error after it: always of a HubException, of any other error only where details are
 * wanted. Whatever was thrown, this doesn't throw.
 */
export function withDetail(text: string, error: unknown, isDetailed: boolean): string {
  try {
    if (error instanceof HubException) return `${text} ${error.name}: ${error.message}`
    if (!isDetailed) return text
    if (error instanceof Error) return `${text} ${error.name}: ${error.message}`
    return `${text} Error: ${String(error)}`
  } catch {
    // An error whose own properties throw: there is nothing that could be said of it.
    return text
  }
}

function failedToInvoke(target: string): string {
  return `Failed to invoke '${target}' due to an error on the server.`
}
