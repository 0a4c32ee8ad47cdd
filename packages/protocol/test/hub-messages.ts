import fc from 'fast-check'
import type { HubMessage } from '../src/index.ts'

/** Any value that JSON has, as `JSON.parse` gives it: without -0, which JSON does not write. */
export function jsonValue(): fc.Arbitrary<unknown> {
  return fc
    .jsonValue({ maxDepth: 4, stringUnit: 'binary' })
    .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
}

/** Any message of the hub protocol, of every type as often. */
export function hubMessage(): fc.Arbitrary<HubMessage> {
  const text = fc.string({ unit: 'binary', maxLength: 300 })
  const id = fc.string({ minLength: 1, maxLength: 12 })
  const ids = fc.array(id, { minLength: 1, maxLength: 3 })
  const headers = fc.dictionary(fc.string({ minLength: 1 }), text, { minKeys: 1, maxKeys: 3 }).map(asJson)
  const call = { target: text, arguments: fc.array(jsonValue(), { maxLength: 4 }) }
  const optional = { streamIds: ids, headers }
  return fc.oneof(
    fc.record(
      { type: fc.constant(1 as const), ...call, invocationId: id, ...optional },
      { requiredKeys: ['type', 'target', 'arguments'] },
    ),
    fc.record(
      { type: fc.constant(2 as const), invocationId: id, item: jsonValue(), headers },
      { requiredKeys: ['type', 'invocationId', 'item'] },
    ),
    fc.record({ type: fc.constant(3 as const), invocationId: id, headers }, { requiredKeys: ['type', 'invocationId'] }),
    fc.record(
      { type: fc.constant(3 as const), invocationId: id, result: jsonValue(), headers },
      { requiredKeys: ['type', 'invocationId', 'result'] },
    ),
    fc.record(
      { type: fc.constant(3 as const), invocationId: id, error: text, headers },
      { requiredKeys: ['type', 'invocationId', 'error'] },
    ),
    fc.record(
      { type: fc.constant(4 as const), invocationId: id, ...call, ...optional },
      { requiredKeys: ['type', 'invocationId', 'target', 'arguments'] },
    ),
    fc.record({ type: fc.constant(5 as const), invocationId: id, headers }, { requiredKeys: ['type', 'invocationId'] }),
    fc.constant({ type: 6 as const }),
    fc.record({ type: fc.constant(7 as const), error: text, allowReconnect: fc.boolean() }, { requiredKeys: ['type'] }),
    fc.record({ type: fc.constantFrom(8 as const, 9 as const), sequenceId: fc.maxSafeNat() }),
  )
}

/** The message in the one form that those share which mean the same. */
export function canonical(message: HubMessage | undefined): HubMessage | undefined {
  if (message?.type !== 7) return message
  return { ...message, allowReconnect: message.allowReconnect ?? false }
}

function asJson<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value
}
