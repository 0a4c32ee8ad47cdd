import { Posting } from '../channel/posting.ts'
import type { HubDirectory } from './hub-directory.ts'
import type { RemoteClients } from './remote-clients.ts'

/** Which connections are in which groups. A group is there while somebody is in it; its name is case-sensitive. */
export interface HubGroups {
  /**
   * From now on what is sent to the group is for this connection too, whichever node has it. One of this node is in the
   * group when the call returns; what this node sends to the group after the call reaches one of another node as well.
   * Who is in it already stays in it. Where nobody awaits it, a failure is logged.
   *
   * @returns false where there is no such connection at any node that answers within `nodeTimeoutMs`; rejects with
   * RangeError where it is in `connectionGroupsMax` groups already
   * @example await groups.add(connectionId, 'sales')
   */
  add(connectionId: string, group: string): Promise<boolean>
  /** @returns false where there is no such connection at any node that answers within `nodeTimeoutMs` */
  remove(connectionId: string, group: string): Promise<boolean>
}

/** @param onUnobserved told of failures that nobody awaits */
export function createHubGroups(
  directory: HubDirectory,
  remote: RemoteClients,
  onUnobserved: (error: unknown) => void,
): HubGroups {
  const set = async (connectionId: string, group: string, isIn: boolean): Promise<boolean> => {
    try {
      const isHere = isIn ? directory.join(connectionId, group) : directory.leave(connectionId, group)
      return isHere || (await remote.setGroup(connectionId, group, isIn))
    } catch (error) {
      // Not before whoever called it can have begun to await it.
      await new Promise(setImmediate)
      throw error
    }
  }
  return {
    add: (connectionId, group) => new Posting(set(connectionId, group, true), onUnobserved),
    remove: (connectionId, group) => new Posting(set(connectionId, group, false), onUnobserved),
  }
}
