import type {
  HubContract,
  InvocableName,
  MethodArguments,
  MethodName,
  MethodResult,
  StreamItem,
  StreamingName,
} from '@serverchannel/protocol'

/** What a stock SignalR client takes for a stream that it sends: its `Subject`. */
export interface UploadSource<Item> {
  subscribe(observer: { next(item: Item): void; error(error: unknown): void; complete(): void }): unknown
}

/** What a stock SignalR client gives for a stream that it gets. */
export interface DownloadSource<Item> {
  subscribe(observer: { next(item: Item): void; error(error: Error): void; complete(): void }): { dispose(): void }
}

type ClientArguments<Arguments extends readonly unknown[]> = {
  [Index in keyof Arguments]: Arguments[Index] extends AsyncIterable<infer Item> ? UploadSource<Item> : Arguments[Index]
}

type ArgumentsToServer<Method> =
  MethodArguments<Method> extends infer Arguments extends readonly unknown[] ? ClientArguments<Arguments> : never

/**
 * A hub's connection at the client's end, typed by the contract: a connection of `@microsoft/signalr` is one. It has what
 * all versions of that have alike.
 *
 * @example
 * const connection: TypedConnection<ChatContract> = new HubConnectionBuilder().withUrl('/chat').build()
 * connection.on('Said', (user, text) => show(user, text))
 * await connection.invoke('Say', 'hello')
 */
export interface TypedConnection<Contract extends HubContract> {
  invoke<Name extends InvocableName<Contract['server']>>(
    method: Name,
    ...args: ArgumentsToServer<Contract['server'][Name]>
  ): Promise<MethodResult<Contract['server'][Name]>>
  send<Name extends MethodName<Contract['server']>>(
    method: Name,
    ...args: ArgumentsToServer<Contract['server'][Name]>
  ): Promise<void>
  stream<Name extends StreamingName<Contract['server']>>(
    method: Name,
    ...args: ArgumentsToServer<Contract['server'][Name]>
  ): DownloadSource<StreamItem<Contract['server'][Name]>>
  on<Name extends MethodName<Contract['client']>>(
    method: Name,
    answer: (
      ...args: MethodArguments<Contract['client'][Name]>
    ) => MethodResult<Contract['client'][Name]> | Promise<MethodResult<Contract['client'][Name]>>,
  ): void
  /** Takes off all that handle the method. */
  off(method: MethodName<Contract['client']>): void
  /** Null while it is not connected, or did not negotiate. */
  readonly connectionId: string | null
  start(): Promise<void>
  stop(): Promise<void>
  onreconnecting(callback: (error?: Error) => void): void
  onreconnected(callback: (connectionId?: string) => void): void
  onclose(callback: (error?: Error) => void): void
}
