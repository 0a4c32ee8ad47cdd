import type { HubContract, MethodArguments, MethodName, MethodResult } from '@serverchannel/protocol'
import type { HubContext } from './hub-context.ts'
import { buildMethods, type MethodTable } from './method-table.ts'
import type { Parameter } from './validator.ts'

/** Whether the caller may: asked with the context of the call, or of the connection. An error is a no. */
export type Authorize<Contract extends HubContract> = (context: HubContext<Contract>) => boolean | Promise<boolean>

/** What a method does: the context first, then the client's arguments, as many as the function declares. */
export type HubFunction<Contract extends HubContract, Method> = (
  context: HubContext<Contract>,
  ...args: MethodArguments<Method>
) => Answer<MethodResult<Method>>

type Answer<Result> = [Result] extends [AsyncIterable<infer Item>]
  ? AsyncIterable<Item> | Iterable<Item> | Promise<AsyncIterable<Item> | Iterable<Item>>
  : Result | Promise<Result>

/** A method and what is to be known of it. */
export interface DeclaredMethod<Contract extends HubContract, Method> {
  /** Its name on the wire. Default: the name it is defined by. */
  readonly name?: string
  /**
   * A validator for each argument, or `upload(…)` for a stream from the client. The method gets what they give. Arguments
   * that the client leaves out at the end are `undefined` to their validators.
   */
  readonly parameters?: ParametersOf<MethodArguments<Method>>
  /** True: it gives a stream although it is no async generator function. */
  readonly streams?: boolean
  /** Asked before the arguments are looked at. */
  readonly authorize?: Authorize<Contract>
  readonly run: HubFunction<Contract, Method>
}

type ParametersOf<Arguments extends readonly unknown[]> = {
  readonly [Index in keyof Arguments]-?: Parameter<Exclude<Arguments[Index], undefined>> | Parameter<Arguments[Index]>
}

type TakesStream<Arguments extends readonly unknown[]> =
  Extract<Arguments[number], AsyncIterable<unknown>> extends never ? false : true

/** A method that takes streams has to declare its parameters: nothing else tells which of them is one. */
export type HubMethod<Contract extends HubContract, Method> =
  TakesStream<MethodArguments<Method>> extends true
    ? DeclaredMethod<Contract, Method> & { readonly parameters: ParametersOf<MethodArguments<Method>> }
    : HubFunction<Contract, Method> | DeclaredMethod<Contract, Method>

export type HubMethods<Contract extends HubContract> = {
  readonly [Name in MethodName<Contract['server']>]: HubMethod<Contract, Contract['server'][Name]>
}

/** A call that a filter sees: its method is there, the caller authorized, its arguments checked. */
export interface FilteredCall<Contract extends HubContract> {
  readonly context: HubContext<Contract>
  /** The method's name on the wire. */
  readonly method: string
  /** Streams from the client are among them. */
  readonly arguments: readonly unknown[]
}

/** What is to be done around calls, connecting and disconnecting. The first filter is the outermost. */
export interface HubFilter<Contract extends HubContract> {
  /** `next` gives the method's result; what the filter returns is the answer. Of a streaming method it is the stream. */
  readonly invoke?: (call: FilteredCall<Contract>, next: () => Promise<unknown>) => unknown
  readonly connect?: (context: HubContext<Contract>, next: () => Promise<void>) => unknown
  readonly disconnect?: (context: HubContext<Contract>, error: Error | undefined, next: () => Promise<void>) => unknown
}

export interface HubOptions<Contract extends HubContract> {
  /**
   * A plain object or an object of a class: every function of it and of its class can be called by clients, in any case
   * of the name, with `this` being the object. Helpers belong outside of it, or into `#private` methods. Parameters with
   * default values and rest parameters don't count as declared: a method that has those declares its `parameters`.
   */
  readonly methods: HubMethods<Contract>
  /** Calls of the client wait until this is done. Where it throws, the connection ends and doesn't come back by itself. */
  readonly onConnected?: (context: HubContext<Contract>) => unknown
  /** With the reason, where it is the server's or the network's; undefined where the client left. */
  readonly onDisconnected?: (context: HubContext<Contract>, error: Error | undefined) => unknown
  /** Who may connect. Default: everybody whom the server lets in. */
  readonly authorize?: Authorize<Contract>
  readonly filters?: readonly HubFilter<Contract>[]
  /** Tells clients the names and texts of all errors, not only of a HubException. Default false. */
  readonly detailedErrors?: boolean
}

/** A hub as {@link defineHub} made it. */
export interface HubDefinition<Contract extends HubContract> extends Omit<HubOptions<Contract>, 'methods'> {
  readonly methods: MethodTable
  readonly filters: readonly HubFilter<Contract>[]
  readonly detailedErrors: boolean
}

/**
 * Defines a hub by the contract that it and its clients keep.
 *
 * @throws TypeError where a method is none, or where two have the same name in different case
 * @example
 * const chat = defineHub<ChatContract>({
 *   methods: {
 *     Say: ({ clients, user }, text) => clients.all.send('Said', user ?? 'somebody', text),
 *     async *History(context, count) { for (const line of lines.slice(-count)) yield line },
 *     Upload: {
 *       parameters: [upload(z.string())],
 *       async run(context, lines) { let count = 0; for await (const line of lines) count++; return count },
 *     },
 *   },
 *   onConnected: ({ groups, connectionId }) => groups.add(connectionId, 'everybody'),
 * })
 */
export function defineHub<Contract extends HubContract>(options: HubOptions<Contract>): HubDefinition<Contract> {
  const { methods, filters = [], detailedErrors = false, ...rest } = options
  return { ...rest, methods: buildMethods(methods), filters, detailedErrors }
}
