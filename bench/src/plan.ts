/** How long each run is. */
export interface Plan {
  rounds: number
  /** Of each burst that is measured; divided by the connections, the number of messages. */
  deliveriesPerBurst: number
  deliveriesToWarmUp: number
  /** The modest rate at which latency is measured: at most so many posts a second, at most so many deliveries. */
  postsPerSecondMax: number
  deliveriesPerSecondMax: number
  rateSeconds: number
  settleMs: number
}

export function createPlan(isQuick: boolean, rounds: number): Plan {
  return {
    rounds,
    deliveriesPerBurst: isQuick ? 150_000 : 400_000,
    deliveriesToWarmUp: 50_000,
    postsPerSecondMax: 10,
    deliveriesPerSecondMax: 20_000,
    rateSeconds: isQuick ? 2 : 5,
    settleMs: isQuick ? 1000 : 2000,
  }
}

export function postsPerSecond(plan: Plan, connections: number): number {
  return Math.max(0.5, Math.min(plan.postsPerSecondMax, plan.deliveriesPerSecondMax / connections))
}

/** The phases of one run: what warms the code up, what is measured one at a time, what gives the latencies. */
export function phasesOf(plan: Plan, connections: number): readonly [warmUp: string, oneAtATime: string, rate: string] {
  const messages = (deliveries: number): number => Math.max(2, Math.ceil(deliveries / connections))
  return [
    `burst:${messages(plan.deliveriesToWarmUp)}:1`,
    `burst:${messages(plan.deliveriesPerBurst)}:1`,
    `rate:${postsPerSecond(plan, connections)}:${plan.rateSeconds}`,
  ]
}
