import { UnsupportedTypeException } from './exceptions.ts'

/** Whom a sandbox message is for. Source: PARITY 2.4. */
export const MessageMode = {
  /** All that subscribe to it. */
  BROADCAST: 'broadcast',
  /** The first that subscribes to it, whose result the publisher gets. */
  PTP: 'ptp',
} as const

/** What a module does with a sandbox message. Source: PARITY 2.4. */
export const MessageDirectionType = {
  PUBLISH: 'publish',
  SUBSCRIBE: 'subscribe',
  BIDIRECTIONAL: 'bidirectional',
} as const

/** A message as a module declares it. */
export interface MessageDeclaration {
  readonly mode: (typeof MessageMode)[keyof typeof MessageMode]
  readonly direction: (typeof MessageDirectionType)[keyof typeof MessageDirectionType]
}

/** @throws UnsupportedTypeException where the mode or the direction is none. */
export function checkDeclaration(name: string, { mode, direction }: MessageDeclaration): void {
  if (!isOneOf(MessageMode, mode)) throw new UnsupportedTypeException(`'${name}' is declared with the mode '${mode}'.`)
  if (!isOneOf(MessageDirectionType, direction)) {
    throw new UnsupportedTypeException(`'${name}' is declared with the direction '${direction}'.`)
  }
}

function isOneOf(values: Readonly<Record<string, string>>, value: string): boolean {
  return Object.values(values).includes(value)
}
