import * as signalR10 from '@microsoft/signalr'
import * as messagePack10 from '@microsoft/signalr-protocol-msgpack'
import * as signalR3 from 'signalr-3.1.3'
import * as signalR5 from 'signalr-5'
import * as signalR6 from 'signalr-6'
import * as signalR7 from 'signalr-7'
import * as signalR8 from 'signalr-8'
import * as signalR9 from 'signalr-9'
import * as messagePack3 from 'signalr-protocol-msgpack-3.1.3'
import * as messagePack5 from 'signalr-protocol-msgpack-5'
import * as messagePack6 from 'signalr-protocol-msgpack-6'
import * as messagePack7 from 'signalr-protocol-msgpack-7'
import * as messagePack8 from 'signalr-protocol-msgpack-8'
import * as messagePack9 from 'signalr-protocol-msgpack-9'
import { createStockClient, type StockClient, type StockLibrary, type StockSettings } from './stock-client.ts'

/** What not all versions of the client have. */
export type StockFeature = 'client results' | 'stateful reconnect'

/** The first major version that has it. */
const SINCE: Readonly<Record<StockFeature, number>> = { 'client results': 7, 'stateful reconnect': 8 }

export interface StockVersion {
  readonly name: string
  create(settings: StockSettings): StockClient
  /** Why the version can't do it; undefined where it can. */
  lacks(feature: StockFeature): string | undefined
}

/** One of each major version that there is, and the oldest that is to work. Version 4 never was. */
export const stockVersions: readonly StockVersion[] = [
  describeVersion('3.1.3', signalR3, messagePack3),
  describeVersion('5.0.17', signalR5, messagePack5),
  describeVersion('6.0.25', signalR6, messagePack6),
  describeVersion('7.0.14', signalR7, messagePack7),
  describeVersion('8.0.29', signalR8, messagePack8),
  describeVersion('9.0.19', signalR9, messagePack9),
  describeVersion('10.0.11', signalR10, messagePack10),
]

// Version 5 takes `self` for granted wherever there is a `fetch`, as in pages. Node has had one since 18.
Object.assign(globalThis, { self: globalThis })

/** The versions' own types differ in what is of no interest here, so they are taken for what they have alike. */
function describeVersion(
  name: string,
  library: object,
  protocols: { readonly MessagePackHubProtocol: new () => unknown },
): StockVersion {
  const major = Number.parseInt(name, 10)
  return {
    name,
    create: (settings) =>
      createStockClient(library as StockLibrary, () => new protocols.MessagePackHubProtocol(), settings),
    lacks: (feature) => {
      const since = SINCE[feature]
      return major < since ? `${feature}: ${name} has none, it came with ${since}` : undefined
    },
  }
}
