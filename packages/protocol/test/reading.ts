import { type HubMessage, jsonCodec, ProtocolError, RECORD_SEPARATOR, type ReadLimits } from '../src/index.ts'

export const READ_LIMITS: ReadLimits = { messageBytesMax: 32_768, depthMax: 64 }

/** All hub messages that a new reader gives for these pieces of text. */
export function readAll(pieces: string | readonly string[], limits: ReadLimits = READ_LIMITS): HubMessage[] {
  const reader = jsonCodec.createReader(limits)
  const messages: HubMessage[] = []
  for (const piece of typeof pieces === 'string' ? [pieces] : pieces) messages.push(...reader.read(piece))
  return messages
}

/** The one message that a record makes. */
export function readOne(value: unknown): HubMessage | undefined {
  return readAll(record(value))[0]
}

export function record(value: unknown): string {
  return JSON.stringify(value) + RECORD_SEPARATOR
}

/** The error of the protocol that the call ends in. */
export function protocolErrorOf(run: () => unknown): ProtocolError {
  try {
    run()
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
  throw new Error('There was no error')
}
