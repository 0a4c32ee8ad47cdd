import type { defineHub, HubDefinition, HubException, upload, Validator } from 'serverchannel'

/** What a hub is made of. The server's own tests make it of their sources, so it comes in by argument. */
export interface HubLibrary {
  readonly defineHub: typeof defineHub
  readonly HubException: typeof HubException
  readonly upload: typeof upload
}

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

const integer = toValidator('an integer', (value): value is number => Number.isInteger(value))
const text = toValidator('a text', (value): value is string => typeof value === 'string')

const COMPLEX = { String: 'hello world', IntArray: [1, 2, 3], Guid: '00010203-0405-0607-0706-050403020100' }

export function createConformanceHub(
  { defineHub, HubException, upload }: HubLibrary,
  detailedErrors = false,
): HubDefinition<ConformanceContract> {
  return defineHub<ConformanceContract>({
    detailedErrors,
    methods: {
      Echo: (_, value) => value,
      VoidMethod: () => {},
      GetNull: () => null,
      Add: { parameters: [integer, integer], run: (_, a, b) => a + b },
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
        parameters: [upload(text)],
        async run(_, stream) {
          let whole = ''
          for await (const item of stream) whole += item
          return whole
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

function toValidator<Value>(what: string, isValid: (value: unknown) => value is Value): Validator<Value> {
  const validate: Validator<Value>['~standard']['validate'] = (value) =>
    isValid(value) ? { value } : { issues: [{ message: `It needs to be ${what}.` }] }
  return { '~standard': { version: 1, vendor: 'serverchannel-conformance', validate } }
}
