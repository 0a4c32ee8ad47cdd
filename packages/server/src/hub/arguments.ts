import type { Method } from './method-table.ts'
import type { Upload } from './upload.ts'
import { isUpload, type Validator } from './validator.ts'

/** The client's arguments are not those of the method. Its text is for the developer, with detailed errors. */
export class ArgumentsError extends Error {
  override readonly name = 'ArgumentsError'
}

/**
 * What the method is run with: arguments as its validators give them, and the streams where it declares them. Without
 * declared parameters their number is checked, and nothing else.
 *
 * @returns a promise only where a validator does
 * @throws ArgumentsError where they are too many, too few or not valid
 */
export function bindArguments(
  method: Method,
  given: readonly unknown[],
  uploads: readonly Upload[],
): readonly unknown[] | Promise<readonly unknown[]> {
  const { parameters, parameterCount, uploadCount } = method
  const wanted = parameterCount - uploadCount
  if (given.length > wanted || (!parameters && given.length < wanted)) {
    throw new ArgumentsError(`Invocation provides ${given.length} argument(s) but target expects ${wanted}.`)
  }
  if (!parameters) return given
  const bound: unknown[] = []
  let isAsync = false
  let givenIndex = 0
  let uploadIndex = 0
  for (const parameter of parameters) {
    if (isUpload(parameter)) bound.push(uploads[uploadIndex++])
    else {
      const value = validate(parameter, given[givenIndex], givenIndex)
      givenIndex++
      isAsync ||= value instanceof Promise
      bound.push(value)
    }
  }
  return isAsync ? Promise.all(bound) : bound
}

function validate(validator: Validator, value: unknown, index: number): unknown {
  const outcome = validator['~standard'].validate(value)
  if (!(outcome instanceof Promise)) return accept(outcome, index)
  const accepted = outcome.then((late) => accept(late, index))
  // Nobody waits for it where a later argument is refused at once.
  accepted.catch(() => {})
  return accepted
}

function accept(outcome: Awaited<ReturnType<Validator['~standard']['validate']>>, index: number): unknown {
  if (!outcome.issues) return outcome.value
  throw new ArgumentsError(`Argument ${index + 1}: ${outcome.issues.map(({ message }) => message).join('; ')}`)
}
