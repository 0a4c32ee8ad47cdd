/**
 * What a hub and its clients say to each other: one type for both ends. Parameters and results are JSON values (or what
 * MessagePack has besides: bytes, dates). A stream in either direction is an `AsyncIterable`.
 *
 * @example
 * interface ChatContract {
 *   // What a client may call: `connection.invoke('Say', 'hello')`.
 *   server: {
 *     Say(text: string): void
 *     History(count: number): AsyncIterable<string>
 *     Upload(lines: AsyncIterable<string>): number
 *   }
 *   // What the server may call: `clients.all.send('Said', 'ada', 'hello')`.
 *   client: {
 *     Said(user: string, text: string): void
 *     AskName(): string
 *   }
 * }
 */
export interface HubContract {
  readonly server: object
  readonly client: object
}

export type MethodName<Methods> = keyof Methods & string

export type MethodArguments<Method> = Method extends (...args: infer Arguments) => unknown ? Arguments : never

export type MethodResult<Method> = Method extends (...args: never[]) => infer Result ? Awaited<Result> : never

/** Names of the methods that answer with a stream. */
export type StreamingName<Methods> = {
  [Name in MethodName<Methods>]: MethodResult<Methods[Name]> extends AsyncIterable<unknown> ? Name : never
}[MethodName<Methods>]

/** Names of the methods that answer with one value, or with none. */
export type InvocableName<Methods> = Exclude<MethodName<Methods>, StreamingName<Methods>>

/** What one item of a streaming method's answer is. */
export type StreamItem<Method> = MethodResult<Method> extends AsyncIterable<infer Item> ? Item : never
