import type { StandardSchemaV1 } from '@standard-schema/spec'

/**
 * What is posted under which sender: a schema of any library that speaks Standard Schema (zod, valibot, arktype), by
 * sender. Made by {@link defineMessages}; one object for the server and its pages.
 */
export type MessageContract = Readonly<Record<string, StandardSchemaV1>>

/** No contract: any sender, any body. */
// oxlint-disable-next-line typescript/ban-types -- the contract without senders; `Record<string, never>` would have all.
export type NoContract = {}

/** The senders that a contract names. */
export type SenderOf<Contract> = keyof Contract & string

/**
 * What a body has to be by its contract: what its schema takes. Bodies go over the wire as they were posted, so what a
 * schema would make of them (defaults, conversions) is nowhere to be had.
 */
export type BodyOf<Contract, Sender> = Sender extends keyof Contract
  ? Contract[Sender] extends StandardSchemaV1<infer Input, unknown>
    ? Input
    : unknown
  : unknown

/**
 * Says what is posted under which sender, once for both ends: the server checks what is posted, the page's handlers are
 * typed by it. A schema has to answer at once, not with a promise.
 *
 * @throws TypeError where something in it is no schema
 * @example
 * export const messages = defineMessages({ OrderChanged: z.object({ id: z.number() }) })
 * // On the server: createServerChannel({ messages }). In the page: connect<typeof messages>('/msg').
 */
export function defineMessages<const Contract extends MessageContract>(contract: Contract): Contract {
  for (const [sender, schema] of Object.entries(contract)) {
    const standard = (schema as Partial<StandardSchemaV1> | null | undefined)?.['~standard']
    if (typeof standard?.validate !== 'function') {
      throw new TypeError(`The contract of '${sender}' is no Standard Schema: zod, valibot and arktype make them.`)
    }
  }
  return contract
}

/**
 * What is wrong with the body by this schema, in one line; undefined where nothing is. What the schema throws comes
 * through.
 */
export function findIssues(schema: StandardSchemaV1, body: unknown): string | undefined {
  const result = schema['~standard'].validate(body)
  if (result instanceof Promise) return 'its schema answers with a promise, and posts would lose their order'
  return result.issues
    ?.slice(0, ISSUES_SHOWN_MAX)
    .map(({ message, path = [] }) => {
      const place = path.map((key) => String(typeof key === 'object' ? key.key : key)).join('.')
      return place ? `${place}: ${message}` : message
    })
    .join('; ')
}

const ISSUES_SHOWN_MAX = 3
