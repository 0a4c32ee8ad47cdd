/** What every store is told: the bounds of its history, and the time that age is measured by, ms since 1970. */
export interface HistoryBounds {
  readonly historyCountMax: number
  readonly historyBytesMax: number
  readonly historyAgeMaxMs: number
  readonly now: () => number
  /** Bytes of entries that are not in the log yet; any more are refused. */
  readonly storeWaitingBytesMax: number
  /** How safe an acknowledged message is to be, where the store leaves the choice. */
  readonly durability: 'logged' | 'synced' | undefined
  /** Told what whoever runs it has to know, in words. */
  readonly onWarning: (reason: string) => void
}
