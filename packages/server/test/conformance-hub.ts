import { z } from 'zod'
import { defineHub, type HubDefinition } from '../src/hub/hub-definition.ts'
import { HubException } from '../src/hub/hub-exception.ts'
import { upload } from '../src/hub/validator.ts'

interface CustomObject {
  readonly Name: string
  readonly Value: number
}

/** The hub that traces and conformance suites talk to. Source: SIGNALR 6. */
export interface ConformanceContract {
  server: {
    Echo(text: string): string
    VoidMethod(): void
    GetNull(): null
    Add(a: number, b: number): number
    ThrowException(message: string): void
    ThrowHubException(message: string): void
    GetCallerConnectionId(): string
    GetActiveTransportName(): string
    GetNumRedirects(): number | null
    GetContentTypeHeader(): string | null
    GetHeader(name: string): string | null
    GetCookie(name: string): string | null
    InvokeWithString(message: string): void
    SendCustomObject(value: CustomObject): void
    EchoComplexObject(value: object): object
    SendComplexObject(): object
    Stream(): AsyncIterable<string>
    EmptyStream(): AsyncIterable<string>
    StreamFailMid(): AsyncIterable<string>
    StreamThrowException(message: string): AsyncIterable<string>
    InfiniteStream(): AsyncIterable<string>
    StreamingConcat(stream: AsyncIterable<string>): string
    Broadcast(message: unknown): void
    JoinGroup(group: string): void
    LeaveGroup(group: string): void
    SendGroup(group: string, message: unknown): void
    Secret(): string
    OtherName(): string
    Abort(): void
    Slow(ms: number): void
  }
  client: {
    Message(message: string): void
    message(message: unknown): void
    CustomObject(value: object): void
    StreamCanceled(): void
    Result(): number
  }
}

const COMPLEX = { String: 'hello world', IntArray: [1, 2, 3], Guid: '00010203-0405-0607-0706-050403020100' }

export function createConformanceHub(detailedErrors = false): HubDefinition<ConformanceContract> {
  return defineHub<ConformanceContract>({
    detailedErrors,
    methods: {
      Echo: (_, text) => text,
      VoidMethod: () => {},
      GetNull: () => null,
      Add: { parameters: [z.int(), z.int()], run: (_, a, b) => a + b },
      ThrowException: (_, message) => {
        throw invalidOperation(message)
      },
      ThrowHubException: (_, message) => {
        throw new HubException(message)
      },
      GetCallerConnectionId: ({ connectionId }) => connectionId,
      GetActiveTransportName: ({ request }) => request.transport,
      GetNumRedirects: ({ request }) => {
        const count = query(request.url).get('numRedirects')
        return count === null ? null : Number(count)
      },
      GetContentTypeHeader: ({ request }) => request.headers['content-type'] ?? null,
      GetHeader: ({ request }, name) => String(request.headers[name.toLowerCase()] ?? '') || null,
      GetCookie: ({ request }, name) => findCookie(request.headers.cookie ?? '', name),
      InvokeWithString: ({ caller }, message) => caller.send('Message', message),
      SendCustomObject: ({ caller, protocol }, { Name, Value }) => {
        caller.send('CustomObject', protocol === 'json' ? { name: Name, value: Value } : { Name, Value })
      },
      EchoComplexObject: (_, value) => value,
      SendComplexObject: ({ protocol }) =>
        protocol === 'json'
          ? { ...COMPLEX, ByteArray: 'AQID', DateTime: '2000-01-01T00:00:00Z' }
          : { ...COMPLEX, ByteArray: Uint8Array.of(1, 2, 3), DateTime: new Date('2000-01-01T00:00:00Z') },
      async *Stream() {
        yield* ['a', 'b', 'c']
      },
      async *EmptyStream() {
        // Ends before its first item.
      },
      async *StreamFailMid() {
        yield 'a'
        throw invalidOperation('in the middle')
      },
      StreamThrowException: {
        streams: true,
        run: (_, message) => {
          throw invalidOperation(message)
        },
      },
      async *InfiniteStream({ caller, signal }) {
        try {
          if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
          yield* []
        } finally {
          caller.send('StreamCanceled')
        }
      },
      StreamingConcat: {
        parameters: [upload(z.string())],
        async run(_, stream) {
          let text = ''
          for await (const item of stream) text += item
          return text
        },
      },
      Broadcast: ({ clients }, message) => clients.all.send('message', message),
      JoinGroup: ({ groups, connectionId }, group) => void groups.add(connectionId, group),
      LeaveGroup: ({ groups, connectionId }, group) => void groups.remove(connectionId, group),
      SendGroup: ({ clients }, group, message) => clients.group(group).send('message', message),
      Secret: { authorize: ({ user }) => user !== undefined, run: () => 'secret' },
      OtherName: { name: 'renamed', run: () => 'renamed' },
      Abort: ({ abort }) => abort(),
      Slow: (_, ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
  })
}

function invalidOperation(message: string): Error {
  return Object.assign(new Error(message), { name: 'InvalidOperationException' })
}

function query(url: string): URLSearchParams {
  return new URLSearchParams(url.split('?')[1] ?? '')
}

function findCookie(header: string, name: string): string | null {
  for (const cookie of header.split(/;\s*/)) {
    const equals = cookie.indexOf('=')
    if (cookie.slice(0, equals) === name) return decodeURIComponent(cookie.slice(equals + 1))
  }
  return null
}
