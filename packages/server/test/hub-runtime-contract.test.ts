import { expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { HubClients } from '../src/hub/hub-clients.ts'
import type { DownloadSource, TypedConnection, UploadSource } from '../src/hub/hub-contract.ts'
import { defineHub } from '../src/hub/hub-definition.ts'
import { unchecked, upload } from '../src/hub/validator.ts'

interface Shop {
  server: {
    Order(id: number, note?: string): boolean
    Watch(id: number): AsyncIterable<string>
    Import(lines: AsyncIterable<string>, name: string): number
  }
  client: { Changed(id: number): void; Confirm(text: string): Promise<boolean> }
}

// What the compiler says is what is tested: the types of these tests are checked with those of all others.
it('a contract types the hub', () => {
  defineHub<Shop>({
    methods: {
      Order({ caller, clients }, id, note) {
        expectTypeOf(id).toEqualTypeOf<number>()
        expectTypeOf(note).toEqualTypeOf<string | undefined>()
        clients.all.send('Changed', id)
        // @ts-expect-error the client's method takes a number
        clients.all.send('Changed', 'x')
        // @ts-expect-error the client has no such method
        caller.send('Change', 1)
        return true
      },
      async *Watch(_, id) {
        yield String(id)
      },
      Import: {
        parameters: [upload(z.string()), z.string()],
        run: async (_, lines) => (await lines[Symbol.asyncIterator]().next()).value.length,
      },
    },
  })
  const rest = { Order: () => true, Watch: { streams: true, run: () => ['a'] } }
  // @ts-expect-error which of its parameters is a stream has to be declared
  defineHub<Shop>({ methods: { ...rest, Import: () => 1 } })
  // @ts-expect-error a method of the contract is missing
  defineHub<Shop>({ methods: { Order: () => true } })
  const Import = { parameters: [upload(z.number()), unchecked] as const, run: () => 1 }
  // @ts-expect-error the validator gives another type
  defineHub<Shop>({ methods: { ...rest, Import } })
})

it('a contract takes validators of types that are unions', () => {
  interface Unions {
    server: { Set(isOn: boolean, mode: 'a' | 'b', any: unknown, lines?: AsyncIterable<string>, note?: string): void }
    client: object
  }
  const [any, lines, note] = [z.unknown(), upload(z.string()), z.string().optional()] as const
  const run = (): void => {}
  const Set = { parameters: [z.boolean(), z.enum(['a', 'b']), any, lines, note] as const, run }
  defineHub<Unions>({ methods: { Set } })
  const wrongMode = { parameters: [z.boolean(), z.enum(['a', 'c']), any, lines, note] as const, run }
  // @ts-expect-error the validator gives another mode
  defineHub<Unions>({ methods: { Set: wrongMode } })
  const noStream = { parameters: [z.boolean(), z.enum(['a', 'b']), any, z.string(), note] as const, run }
  // @ts-expect-error the parameter is a stream
  defineHub<Unions>({ methods: { Set: noStream } })
})

it('a contract types what is sent to clients, and what they answer', () => {
  type Clients = HubClients<Shop['client']>
  const ask = (clients: Clients) => clients.client('x').invoke('Confirm', 'sure?')
  expectTypeOf(ask).returns.toEqualTypeOf<Promise<boolean>>()
  // @ts-expect-error nobody can ask everybody
  void ((clients: Clients) => clients.all.invoke('Confirm', 'sure?'))
})

it('a contract types the client', () => {
  type Connection = TypedConnection<Shop>
  const order = (connection: Connection) => connection.invoke('Order', 1)
  expectTypeOf(order).returns.toEqualTypeOf<Promise<boolean>>()
  const watch = (connection: Connection) => connection.stream('Watch', 1)
  expectTypeOf(watch).returns.toEqualTypeOf<DownloadSource<string>>()
  const load = (connection: Connection, lines: UploadSource<string>) => connection.invoke('Import', lines, 'x')
  expectTypeOf(load).returns.toEqualTypeOf<Promise<number>>()
  // @ts-expect-error a stream is not invoked
  void ((connection: Connection) => connection.invoke('Watch', 1))
})
