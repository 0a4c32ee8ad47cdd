import type { Audience } from '../channel/audience.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { InvokeOptions } from './hub-directory.ts'

/** A hub's clients at other nodes, as this one reaches them. */
export interface RemoteClients {
  /** Calls those whom it is for. What is said later, `invoke` and `setGroup` included, comes later at each node. */
  send(audience: Audience, target: string, args: readonly unknown[]): void
  /** Asks the client, whichever node has it. @returns rejects with `not_found` where none has, or that one is gone */
  invoke(connectionId: string, target: string, args: readonly unknown[], options: RemoteInvokeOptions): Promise<unknown>
  /** @returns false where no node that answers has it. Rejects with RangeError where it is in too many groups already */
  setGroup(connectionId: string, group: string, isIn: boolean): Promise<boolean>
}

export interface RemoteInvokeOptions extends InvokeOptions {
  readonly timeoutMs: number
}

/** A hub's clients at this node, as others reach them. */
export interface LocalClients {
  send(audience: Audience, target: string, args: readonly unknown[]): void
  /** @returns undefined where there is no such connection here */
  invoke(
    connectionId: string,
    target: string,
    args: readonly unknown[],
    options: InvokeOptions,
  ): Promise<unknown> | undefined
  /** @returns false where there is no such connection here. @throws RangeError where it is in too many groups already */
  setGroup(connectionId: string, group: string, isIn: boolean): boolean
}

/** Of a hub that is served by one node. */
export const noRemoteClients: RemoteClients = {
  send: () => {},
  invoke: (connectionId) => Promise.reject(noConnection(connectionId)),
  setGroup: () => Promise.resolve(false),
}

export function noConnection(id: string): ChannelError {
  return new ChannelError('not_found', `There is no connection '${id}'.`)
}
