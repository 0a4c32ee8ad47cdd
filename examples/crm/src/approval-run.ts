import { EventEmitter } from 'node:events'
import { Engine } from 'bpmn-engine'
import type { Orders } from './orders.ts'
import { postUserMessage, postUserMessageAttributes } from './post-user-message.ts'
import { createProcessScripts } from './process-scripts.ts'

/** One thing that happened in the process: what a `ProcessStep` message holds. */
export interface ProcessStep {
  readonly orderId: number
  /** The element's id in the diagram. */
  readonly activity: string
  readonly state: 'active' | 'waiting' | 'done'
  /** Counts up from 1 in a run, so that a page can tell whether it has this step already. */
  readonly step: number
  readonly name: string
  readonly run: string
  /** The sequence flow that led here. */
  readonly via: string | null
}

/** Where a run is, for a page that is opened in the middle of it. */
export interface ApprovalState {
  readonly run: string
  readonly startedBy: string
  readonly status: 'running' | 'waiting' | 'ended' | 'failed'
  readonly failure: string | null
  /** The last step that this state includes. */
  readonly step: number
  readonly steps: readonly ProcessStep[]
}

export interface ApprovalParts {
  readonly run: string
  readonly orderId: number
  readonly startedBy: string
  /** The process file's text. */
  readonly source: string
  readonly orders: Orders
  /** Milliseconds for which each step is held, so that one can watch. */
  readonly stepMs: number
  readonly onStep: (step: ProcessStep) => void
  readonly onEnd: (state: ApprovalState) => void
}

/** The part of the engine's element API that is used here. */
interface Element {
  readonly id: string
  readonly name?: string
  readonly environment: {
    assignVariables(variables: Record<string, unknown>): void
    readonly timers: { setTimeout(callback: () => void, delayMs: number): unknown }
  }
  signal(): void
}

type Callback = (error?: Error | null) => void

/** One order's way through the approval process. */
export class ApprovalRun {
  readonly #parts: ApprovalParts
  readonly #engine: Engine
  readonly #steps = new Map<string, ProcessStep>()
  #status: ApprovalState['status'] = 'running'
  #failure: string | null = null
  #step = 0
  #via: string | null = null
  #approval: Element | undefined

  constructor(parts: ApprovalParts) {
    this.#parts = parts
    const { orderId, startedBy, source, orders, stepMs } = parts
    this.#engine = new Engine({
      name: `Approval of order ${orderId}`,
      source,
      scripts: createProcessScripts(),
      moddleOptions: { terrasoft: postUserMessageAttributes },
      extensions: {
        postUserMessage,
        ...(stepMs > 0 ? { pace: (element: PacedElement) => pace(element, stepMs) } : {}),
      },
      variables: {
        orderId,
        startedBy,
        ownerIds: [startedBy],
        totalCents: orders.get(orderId).totalCents,
        approvedBy: 'the process',
      },
      services: {
        approveOrder: (id: number, approvedBy: string) => orders.approve(id, approvedBy),
        // In place of a call to a credit agency, which takes its time.
        checkCredit: ({ environment }: Element, callback: Callback) =>
          environment.timers.setTimeout(() => callback(), stepMs),
      },
    })
    this.#engine.on('end', () => this.#end('ended', null))
    this.#engine.on('error', (error: Error) => this.#end('failed', error.message))
  }

  /** Rejects where the file is no process that can be run. */
  async start(): Promise<void> {
    const listener = new EventEmitter()
    listener.on('flow.take', ({ id }: Element) => {
      this.#via = id
    })
    listener.on('activity.enter', (element: Element) => this.#record(element, 'active'))
    listener.on('activity.wait', (element: Element) => {
      this.#approval = element
      this.#status = 'waiting'
      this.#record(element, 'waiting')
    })
    listener.on('activity.leave', (element: Element) => {
      // The engine also "leaves" what lies on a way not taken.
      if (this.#steps.has(element.id)) this.#record(element, 'done')
    })
    await this.#engine.execute({ listener })
  }

  get state(): ApprovalState {
    return {
      run: this.#parts.run,
      startedBy: this.#parts.startedBy,
      status: this.#status,
      failure: this.#failure,
      step: this.#step,
      steps: [...this.#steps.values()],
    }
  }

  get isOpen(): boolean {
    return this.#status === 'running' || this.#status === 'waiting'
  }

  /** Ends the user task. @returns false where the process doesn't wait for that */
  approve(user: string): boolean {
    const approval = this.#approval
    if (!approval) return false
    this.#approval = undefined
    this.#status = 'running'
    approval.environment.assignVariables({ approvedBy: user })
    approval.signal()
    return true
  }

  async stop(): Promise<void> {
    if (this.isOpen) await this.#engine.stop()
  }

  #record(element: Element, state: ProcessStep['state']): void {
    const { orderId, run } = this.#parts
    const via = state === 'active' ? this.#via : (this.#steps.get(element.id)?.via ?? null)
    const step = {
      orderId,
      activity: element.id,
      state,
      step: ++this.#step,
      name: element.name ?? element.id,
      run,
      via,
    }
    this.#steps.set(element.id, step)
    this.#parts.onStep(step)
  }

  #end(status: 'ended' | 'failed', failure: string | null): void {
    this.#status = status
    this.#failure = failure
    this.#approval = undefined
    this.#parts.onEnd(this.state)
  }
}

interface PacedElement extends Pick<Element, 'environment'> {
  readonly broker: {
    publish(exchange: 'format', key: string, content: object): void
    subscribeTmp(exchange: 'event', key: string, onMessage: () => void, options: object): void
    cancel(consumerTag: string): void
  }
}

/** Holds an activity between its enter and its start: the engine waits for what is under way in an element's formatting. */
function pace(element: PacedElement, stepMs: number): { activate(): void; deactivate(): void } {
  const { broker, environment } = element
  const consumerTag = '_pace'
  const hold = (): void => {
    broker.publish('format', 'run.pace.start', { endRoutingKey: 'run.pace.end' })
    environment.timers.setTimeout(() => broker.publish('format', 'run.pace.end', {}), stepMs)
  }
  return {
    activate: () => broker.subscribeTmp('event', 'activity.enter', hold, { noAck: true, consumerTag }),
    deactivate: () => broker.cancel(consumerTag),
  }
}
