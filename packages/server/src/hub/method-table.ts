import type { HubContract } from '@serverchannel/protocol'
import type { HubContext } from './hub-context.ts'
import { isUpload, type UploadParameter, type Validator } from './validator.ts'

/** A method of whatever contract: the types were checked where it was defined, its arguments are before it is run. */
export interface Method {
  /** On the wire. */
  readonly name: string
  readonly isStreaming: boolean
  /** Arguments and streams together. */
  readonly parameterCount: number
  /** How many of the parameters are streams. */
  readonly uploadCount: number
  /** Undefined: not declared; then arguments are counted, and not looked into. */
  readonly parameters: readonly (Validator | UploadParameter)[] | undefined
  readonly authorize: ((context: HubContext<HubContract>) => boolean | Promise<boolean>) | undefined
  readonly run: (context: HubContext<HubContract>, args: readonly unknown[]) => unknown
}

/** Methods by their name in lower case: clients may write it in any (SIGNALR 2.8 J2). */
export type MethodTable = ReadonlyMap<string, Method>

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown

interface Declaration {
  readonly name?: string
  readonly parameters?: readonly (Validator | UploadParameter)[]
  readonly streams?: boolean
  readonly authorize?: Method['authorize']
  readonly run: AnyFunction
}

/** The methods of a plain object, or of an object and its classes. */
export function buildMethods(owner: object): MethodTable {
  const table = new Map<string, Method>()
  for (const [key, value] of membersOf(owner)) {
    const method = toMethod(owner, key, value)
    const wireName = method.name.toLowerCase()
    if (table.has(wireName)) throw new TypeError(`The hub has two methods of the name '${method.name}'.`)
    table.set(wireName, method)
  }
  return table
}

/** Own members that are named, then those of each class; the nearest wins, and what every object has is none. */
function membersOf(owner: object): ReadonlyMap<string, unknown> {
  const members = new Map<string, unknown>()
  for (let level: object | null = owner; level && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if ((level !== owner && key === 'constructor') || members.has(key)) continue
      // What a class keeps besides its methods, and accessors, are nobody's to call.
      if (typeof value === 'function' || isDeclaration(value)) members.set(key, value)
      else if (level === owner && Object.getPrototypeOf(owner) === Object.prototype) {
        throw new TypeError(`The hub's method '${key}' is neither a function nor an object with 'run'.`)
      }
    }
  }
  return members
}

function toMethod(owner: object, key: string, value: unknown): Method {
  const declaration: Declaration = isDeclaration(value) ? value : { run: value as AnyFunction }
  const { name = key, parameters, streams, authorize, run } = declaration
  const receiver = isDeclaration(value) ? value : owner
  return {
    name,
    isStreaming: streams ?? isAsyncGenerator(run),
    parameters,
    // The context is a parameter too, and nobody's argument.
    parameterCount: parameters?.length ?? Math.max(0, run.length - 1),
    uploadCount: parameters?.filter(isUpload).length ?? 0,
    authorize,
    run: (context, args) => run.call(receiver, context, ...args),
  }
}

function isDeclaration(value: unknown): value is Declaration {
  return typeof value === 'object' && value !== null && 'run' in value && typeof value.run === 'function'
}

const asyncGenerator: unknown = Object.getPrototypeOf(async function* example() {
  // Never run: its kind is what is looked at.
})

function isAsyncGenerator(run: AnyFunction): boolean {
  return Object.getPrototypeOf(run) === asyncGenerator
}
