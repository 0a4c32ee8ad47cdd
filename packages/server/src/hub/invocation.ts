import type { HubContract } from '@serverchannel/protocol'
import { type HubMessage, MessageType } from '@serverchannel/protocol'
import { ArgumentsError, bindArguments } from './arguments.ts'
import type { CallMessage } from './hub.ts'
import type { HubContext } from './hub-context.ts'
import { isHubException } from './hub-exception.ts'
import { invocationErrors, withDetail } from './invocation-errors.ts'
import type { Method } from './method-table.ts'
import { ServerStream } from './server-stream.ts'
import type { SessionParts } from './session-parts.ts'
import type { Upload } from './upload.ts'

export type InvocationMessage = Extract<HubMessage, { readonly type: 1 | 4 }>

/** What an invocation needs of the connection that it came from. */
export interface InvocationSession {
  readonly parts: Pick<SessionParts, 'limits' | 'clock' | 'definition' | 'report'>
  /** @throws where it can't be encoded */
  send(message: CallMessage): void
  whenTaken(): Promise<void> | undefined
  createContext(invocation: Invocation): HubContext<HubContract>
  /** It is over, answered or not. Called once. */
  onInvocationEnd(invocation: Invocation): void
}

/** One call of a method by a client, from its arrival to its answer. */
export class Invocation {
  readonly message: InvocationMessage
  readonly method: Method
  /** Streams that the client sends with it. */
  readonly uploads: readonly Upload[]
  readonly #session: InvocationSession
  #controller: AbortController | undefined
  #stream: ServerStream | undefined
  /** `cancelled` by the client, or `left` because that is gone. */
  #state: 'wanted' | 'cancelled' | 'left' = 'wanted'

  constructor(session: InvocationSession, message: InvocationMessage, method: Method, uploads: readonly Upload[]) {
    this.#session = session
    this.message = message
    this.method = method
    this.uploads = uploads
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#state !== 'wanted') this.#controller.abort()
    }
    return this.#controller.signal
  }

  /**
   * Runs it to its end and answers it. Never rejects. Where nothing in it waits, it is over when this returns.
   * Authorization comes first, so that nobody learns from an error what a method takes that he may not call.
   */
  async run(): Promise<void> {
    const { message, method } = this
    try {
      const context = this.#session.createContext(this)
      if (method.authorize && !(await this.#isAuthorized(context))) {
        this.#answerError(invocationErrors.unauthorized(message.target))
      } else if (method.isStreaming !== (message.type === MessageType.StreamInvocation)) {
        this.#answerError(
          method.isStreaming
            ? invocationErrors.streamingByInvoke(message.target)
            : invocationErrors.invokeByStreaming(message.target),
        )
      } else {
        const bound = this.#bind()
        const args = bound instanceof Promise ? await bound.catch((error: unknown) => this.#refuse(error)) : bound
        // Awaited only where there is something to wait for: each `await` is a place in a queue behind others.
        const waits = args && this.#runWith(context, args)
        if (waits) await waits
      }
    } catch (error) {
      // What this file itself does wrong: the client still gets an answer.
      this.#fail(error, invocationErrors.methodThrew(message.target))
    } finally {
      this.#session.onInvocationEnd(this)
    }
  }

  /** The client wants no more of it. A stream ends; a method that gives one value may look at its signal. */
  cancel(): void {
    if (this.#state !== 'wanted') return
    this.#state = 'cancelled'
    this.#controller?.abort()
    this.#stream?.stop(this.#session.parts.limits.streamCancelMs)
  }

  /** The client is gone. */
  leave(): void {
    this.#state = 'left'
    this.#controller?.abort()
    this.#stream?.leave()
  }

  async #isAuthorized(context: HubContext<HubContract>): Promise<boolean> {
    try {
      return (await this.method.authorize?.(context)) === true
    } catch (error) {
      this.#session.parts.report(error, this.method.name)
      return false
    }
  }

  #bind(): ReturnType<typeof bindArguments> | undefined {
    try {
      return bindArguments(this.method, this.message.arguments, this.uploads)
    } catch (error) {
      return this.#refuse(error)
    }
  }

  #refuse(error: unknown): undefined {
    const { target } = this.message
    this.#answerError(
      withDetail(invocationErrors.wrongArguments(target), error, this.#session.parts.definition.detailedErrors),
    )
    if (!(error instanceof ArgumentsError)) this.#session.parts.report(error, this.method.name)
  }

  /** Undefined where it is over when this returns. */
  #runWith(context: HubContext<HubContract>, args: readonly unknown[]): Promise<void> | undefined {
    let result: unknown
    try {
      result = this.#call(context, args)
    } catch (error) {
      this.#fail(error, invocationErrors.methodThrew(this.message.target))
      return undefined
    }
    return isThenable(result) ? this.#settle(result) : this.#finish(result)
  }

  async #settle(pending: PromiseLike<unknown>): Promise<void> {
    let result: unknown
    try {
      result = await pending
    } catch (error) {
      this.#fail(error, invocationErrors.methodThrew(this.message.target))
      return
    }
    await this.#finish(result)
  }

  #finish(result: unknown): Promise<void> | undefined {
    if (!this.method.isStreaming) this.#answer(result)
    else if (isIterable(result)) return this.#answerStream(result)
    else this.#answerError(invocationErrors.noStream(this.message.target))
    return undefined
  }

  /** The method with the filters around it. */
  #call(context: HubContext<HubContract>, args: readonly unknown[]): unknown {
    const { method } = this
    const { filters } = this.#session.parts.definition
    if (filters.length === 0) return method.run(context, args)
    const call = { context, method: method.name, arguments: args }
    const from = (index: number): unknown => {
      const filter = filters[index]
      if (!filter) return method.run(context, args)
      return filter.invoke ? filter.invoke(call, () => toPromise(() => from(index + 1))) : from(index + 1)
    }
    return from(0)
  }

  #answer(result: unknown): void {
    const { invocationId } = this.message
    if (isAsyncIterable(result)) {
      const error = new TypeError(
        `The method '${this.method.name}' gives a stream: it needs to declare 'streams: true'.`,
      )
      this.#fail(error, invocationErrors.methodThrew(this.message.target))
      return
    }
    if (!invocationId) return
    try {
      // Nothing is said as null, as .NET does (J1): without a result it would be the end of a stream.
      this.#session.send({ type: MessageType.Completion, invocationId, result: toValue(result) })
    } catch (error) {
      this.#fail(error, invocationErrors.methodThrew(this.message.target))
    }
  }

  async #answerStream(items: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
    const session = this.#session
    const { clock, limits } = session.parts
    const invocationId = this.message.invocationId ?? ''
    try {
      const outlet = {
        sendItem: (item: unknown) => session.send({ type: MessageType.StreamItem, invocationId, item: toValue(item) }),
        whenTaken: () => session.whenTaken(),
      }
      const stream = new ServerStream(items, outlet, clock, limits.streamItemsPerTurn)
      this.#stream = stream
      if (this.#state === 'cancelled') stream.stop(limits.streamCancelMs)
      else if (this.#state === 'left') stream.leave()
      await stream.run()
    } catch (error) {
      // A method that ends with an error because it was told to end has done what it was told.
      if (this.#state === 'wanted') {
        this.#fail(error, invocationErrors.streamFailed)
        return
      }
    }
    if (this.#state !== 'left') session.send({ type: MessageType.Completion, invocationId })
  }

  #fail(error: unknown, text: string): void {
    if (!isHubException(error)) this.#session.parts.report(error, this.method.name)
    this.#answerError(withDetail(text, error, this.#session.parts.definition.detailedErrors))
  }

  /** Who asked for no answer gets none, whatever happened (J1). */
  #answerError(error: string): void {
    const { invocationId } = this.message
    if (invocationId) this.#session.send({ type: MessageType.Completion, invocationId, error })
  }
}

/** The promise of what it gives or throws, which nobody need await. */
export function toPromise<Value>(run: () => Value): Promise<Awaited<Value>> {
  const promise = (async () => run())() as Promise<Awaited<Value>>
  promise.catch(() => {})
  return promise
}

/** What has no place in JSON is null there. */
function toValue(value: unknown): unknown {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol' ? null : value
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return isAsyncIterable(value) || (typeof value === 'object' && value !== null && Symbol.iterator in value)
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
