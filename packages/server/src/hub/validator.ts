/**
 * Checks and converts one value: the part of Standard Schema that is needed here, so that any library's schema will do
 * (zod, valibot, arktype). Source: standardschema.dev, version 1.
 */
export interface Validator<out Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Validation<Output> | Promise<Validation<Output>>
  }
}

export type Validation<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

/** Takes any value as it is: for a parameter of a method that declares others. */
export const unchecked: Validator<never> = {
  '~standard': { version: 1, vendor: 'serverchannel', validate: (value) => ({ value: value as never }) },
}

/** Marks a parameter that is a stream from the client. */
export interface UploadParameter<out Item = unknown> {
  readonly kind: 'upload'
  /** Checks each item. Left out: items are taken as they come. */
  readonly item: Validator<Item> | undefined
}

/**
 * Declares that the parameter is a stream from the client, whose items this validator checks: the reader of one that is
 * not valid gets a HubException.
 *
 * @example { parameters: [upload(z.string())], run: async (context, lines) => { for await (const line of lines) … } }
 */
export function upload<Item>(item?: Validator<Item>): UploadParameter<Item> {
  return { kind: 'upload', item }
}

/**
 * What a method says of one of its parameters. Asked of the type as a whole: part by part, a validator of `boolean` would
 * have to be one of `true` or of `false`.
 */
export type Parameter<Value = unknown> = unknown extends Value
  ? Validator<Value>
  : [Value] extends [AsyncIterable<infer Item>]
    ? UploadParameter<Item>
    : Validator<Value>

export function isUpload(parameter: Validator | UploadParameter): parameter is UploadParameter {
  return 'kind' in parameter && parameter.kind === 'upload'
}
