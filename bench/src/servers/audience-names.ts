/** Groups that are registered in all. */
export const AUDIENCES = 100_000
/** The group that messages are posted to, and how many are in it. */
export const GROUP = 'receivers'
export const GROUP_SIZE = 100

export function userName(client: number): string {
  return `user-${client}`
}
