/** How long each run is. */
export interface Plan {
  rounds: number
  /** Of each burst that is measured; divided by the connections, the number of messages. */
  deliveriesPerBurst: number
  deliveriesToWarmUp: number
  /** Of the messages' table, to few connections, before all. */
  messagesToWarmUp: number
  /** Of the transports' table, where long polling is slow and bursts are fast. */
  deliveriesOneAtATime: number
  deliveriesInBursts: number
  calls: number
  callsToWarmUp: number
  /** The modest rate at which latency is measured: at most so many posts a second, at most so many deliveries. */
  postsPerSecondMax: number
  deliveriesPerSecondMax: number
  rateSeconds: number
  settleMs: number
  /** Before each phase, and after it. */
  quietMs: number
  graceMs: number
  /** Of each burst of the bursts' table: servers that coalesce take it in a second or two, the others get fewer. */
  deliveriesCoalesced: number
  deliveriesNotCoalesced: number
  latencySeconds: number
  /** Of the audiences' table. */
  postsToOne: number
  postsToGroup: number
  slowSeconds: number
  /** Of the posting table: requests to post in process, posts of one message, messages in lines. */
  inProcessRequests: number
  singlePosts: number
  linePosts: number
}

export function createPlan(isQuick: boolean, rounds: number): Plan {
  return {
    rounds,
    deliveriesPerBurst: isQuick ? 60_000 : 400_000,
    deliveriesToWarmUp: isQuick ? 25_000 : 50_000,
    messagesToWarmUp: isQuick ? 0 : 8_000,
    deliveriesOneAtATime: isQuick ? 10_000 : 200_000,
    deliveriesInBursts: isQuick ? 80_000 : 1_280_000,
    calls: isQuick ? 15_000 : 200_000,
    callsToWarmUp: isQuick ? 10_000 : 50_000,
    postsPerSecondMax: 10,
    deliveriesPerSecondMax: 20_000,
    rateSeconds: isQuick ? 0.5 : 5,
    settleMs: isQuick ? 300 : 2000,
    quietMs: isQuick ? 100 : 300,
    graceMs: isQuick ? 100 : 200,
    deliveriesCoalesced: isQuick ? 400_000 : 4_000_000,
    deliveriesNotCoalesced: isQuick ? 60_000 : 800_000,
    latencySeconds: isQuick ? 0.3 : 5,
    postsToOne: isQuick ? 2_000 : 20_000,
    postsToGroup: isQuick ? 800 : 4_000,
    slowSeconds: isQuick ? 2 : 60,
    inProcessRequests: isQuick ? 15 : 60,
    singlePosts: isQuick ? 5_000 : 50_000,
    linePosts: isQuick ? 40_000 : 300_000,
  }
}

export function postsPerSecond(plan: Plan, connections: number): number {
  return Math.max(0.5, Math.min(plan.postsPerSecondMax, plan.deliveriesPerSecondMax / connections))
}

/** Messages that are posted and not yet with everybody, in a burst of the transports' table. */
export const BURST_OUTSTANDING = 64
/** Calls of one client that are not answered, where there are several. */
export const CALLS_OUTSTANDING = 16

/** The phases of one run: what warms the code up, what is measured one at a time, what gives the latencies. */
export function messagePhases(
  plan: Plan,
  connections: number,
): readonly [warmUp: string, oneAtATime: string, rate: string] {
  return [
    `burst:${times(plan.deliveriesToWarmUp, connections)}:1`,
    `burst:${times(plan.deliveriesPerBurst, connections)}:1`,
    `rate:${postsPerSecond(plan, connections)}:${plan.rateSeconds}`,
  ]
}

/** Both ways of posting are warmed up apart: the second writes many messages at once. */
export function transportPhases(plan: Plan, connections: number): readonly string[] {
  const bursts = (messages: number): string => `burst:${messages}:${BURST_OUTSTANDING}`
  return [
    `burst:${times(plan.deliveriesToWarmUp, connections)}:1`,
    `burst:${times(plan.deliveriesOneAtATime, connections)}:1`,
    bursts(2 * BURST_OUTSTANDING),
    bursts(times(plan.deliveriesInBursts, connections)),
    `rate:${postsPerSecond(plan, connections)}:${plan.rateSeconds}`,
  ]
}

export function callPhases(plan: Plan, connections: number): readonly string[] {
  return [
    `calls:${times(plan.callsToWarmUp, connections)}:1`,
    `calls:${times(plan.calls, connections)}:1`,
    `calls:${times(plan.calls, connections)}:${CALLS_OUTSTANDING}`,
  ]
}

export function describeRounds({ rounds }: Plan): string {
  return rounds === 1 ? 'one round (for a first look: rounds differ by 20 %)' : `${rounds} rounds`
}

/** How many messages or calls of each connection make so many in all. */
export function times(all: number, connections: number): number {
  return Math.max(2, Math.ceil(all / connections))
}
