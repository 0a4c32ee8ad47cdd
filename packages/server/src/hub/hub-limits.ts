/** Every bound of a hub's runtime: its default, its range and its unit, said once. */
export const hubLimits = {
  parallelInvocationsMax: {
    default: 1,
    min: 1,
    max: 1000,
    unit: 'invocations',
    doc: 'of one client that run at a time; those with streams are not counted',
  },
  waitingInvocationsHigh: {
    default: 100,
    min: 1,
    max: 10_000,
    unit: 'invocations',
    doc: 'of one client that wait for their turn: with this many the client is not read on, unless a result is awaited of it',
  },
  waitingInvocationsMax: {
    default: 4096,
    min: 1,
    max: 100_000,
    unit: 'invocations',
    doc: 'of one client that wait for their turn; any more are answered with an error',
  },
  streamsMax: {
    default: 100,
    min: 1,
    max: 10_000,
    unit: 'streams',
    doc: 'to one client, and as many from it; any more are answered with an error',
  },
  streamItemsPerTurn: {
    default: 100,
    min: 1,
    max: 10_000,
    unit: 'items',
    doc: 'of one stream sent before other work of the process has its turn',
  },
  streamCancelMs: {
    default: 1000,
    min: 0,
    max: 60_000,
    unit: 'ms',
    doc: 'what a cancelled stream may take to end by itself before the client is told that it has ended',
  },
  uploadItemsHigh: {
    default: 10,
    min: 1,
    max: 10_000,
    unit: 'items',
    doc: "of a client's stream that nobody has read: with this many the client is not read on",
  },
  uploadItemsMax: {
    default: 4096,
    min: 1,
    max: 100_000,
    unit: 'items',
    doc: "of a client's stream that nobody has read; one more and the stream fails",
  },
  uploadStalledMs: {
    default: 30_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: "a client's stream that is full and not read for this long fails, so that the client is read on",
  },
  clientResultsMax: {
    default: 100,
    min: 1,
    max: 10_000,
    unit: 'results',
    doc: 'awaited of one client at a time; asking for more is refused',
  },
  clientResultTimeoutMs: {
    default: 30_000,
    min: 1,
    max: 86_400_000,
    unit: 'ms',
    doc: "how long a client's result is awaited, unless the asker says otherwise",
  },
  connectionGroupsMax: { default: 1000, min: 1, max: 100_000, unit: 'groups', doc: 'that one connection is in' },
  heldBytesMax: {
    default: 1_048_576,
    min: 4096,
    max: 268_435_456,
    unit: 'bytes',
    doc: 'written to a client which it has not taken; the next that is sent closes it, so that it may come back. Streams stop before, at `highWaterMarkBytes`',
  },
} as const

export type HubLimitName = keyof typeof hubLimits
export type HubLimits = { readonly [Name in HubLimitName]: number }

/** The bounds with what was given put over the defaults. @throws RangeError where a number is out of its range */
export function resolveHubLimits(given: Partial<HubLimits> = {}): HubLimits {
  const resolved = Object.entries(hubLimits).map(([name, limit]) => {
    const value = given[name as HubLimitName] ?? limit.default
    if (!Number.isFinite(value) || value < limit.min || value > limit.max) {
      throw new RangeError(`'${name}' needs to be a number of ${limit.unit} from ${limit.min} to ${limit.max}.`)
    }
    return [name, value]
  })
  return Object.fromEntries(resolved) as HubLimits
}
