import type { HubDirectory } from './hub-directory.ts'

/** Which connections are in which groups. A group is there while somebody is in it; its name is case-sensitive. */
export interface HubGroups {
  /**
   * From now on what is sent to the group is for this connection too. Who is in it already stays in it.
   *
   * @returns false where there is no such connection
   * @throws RangeError where it is in `connectionGroupsMax` groups already
   */
  add(connectionId: string, group: string): boolean
  /** @returns false where there is no such connection */
  remove(connectionId: string, group: string): boolean
}

export function createHubGroups(directory: HubDirectory): HubGroups {
  return {
    add: (connectionId, group) => directory.join(connectionId, group),
    remove: (connectionId, group) => directory.leave(connectionId, group),
  }
}
