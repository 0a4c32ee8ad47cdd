import { expectEqual, Failure, show } from './check.ts'
import { EventStream } from './event-stream.ts'
import { bearer, withQuery } from './http.ts'
import { negotiate } from './negotiation.ts'
import { Polling } from './polling.ts'
import { type Message, type Protocol, type ProtocolName, protocols, SEPARATOR } from './protocol.ts'
import type { Scene } from './scene.ts'
import { Socket } from './socket.ts'
import type { Wire } from './wire.ts'

export type TransportName = 'WebSockets' | 'ServerSentEvents' | 'LongPolling'

export interface LinkOptions {
  readonly hub?: string
  readonly transport?: TransportName
  readonly protocol?: ProtocolName
  /** Asks for stateful reconnect, and speaks version 2 of the protocol. */
  readonly isStateful?: boolean
  /** Of the protocol, in the handshake. */
  readonly version?: number
  /** The user's. */
  readonly token?: string
  /** False: sends no ping, so that the server never times it out. Clients that poll never ping. */
  readonly pings?: boolean
}

const PING = 6

/** A client of a hub that has shaken hands: messages out, messages in. */
export class Link {
  readonly wire: Wire
  readonly protocol: Protocol
  readonly connectionId: string
  /** What names the connection in requests. */
  readonly token: string
  /** How many pings came. */
  pings = 0
  readonly #scene: Scene
  #received: Buffer = Buffer.alloc(0)
  #invocations = 0

  constructor(
    scene: Scene,
    wire: Wire,
    names: { readonly protocol?: ProtocolName; readonly connectionId: string; readonly token: string },
  ) {
    this.#scene = scene
    this.wire = wire
    this.protocol = protocols[names.protocol ?? 'json']
    this.connectionId = names.connectionId
    this.token = names.token
  }

  /** Negotiates, opens the transport, shakes hands, and pings once, as stock clients do. */
  static async open(scene: Scene, options: LinkOptions = {}): Promise<Link> {
    const { hub = '/testhub', transport = 'WebSockets', isStateful = false, token } = options
    const negotiated = await negotiate(scene, hub, { isStateful, token })
    const wire = await openWire(scene, transport, hub, negotiated.token, token)
    const { protocol = 'json', version = isStateful ? 2 : 1 } = options
    const link = new Link(scene, wire, { ...negotiated, protocol })
    await wire.send(JSON.stringify({ protocol, version }) + SEPARATOR)
    expectEqual(await link.readHandshake(), '{}', 'answer to the handshake')
    if (options.pings ?? transport !== 'LongPolling') await link.send({ type: PING })
    return link
  }

  /** The answer to the handshake, without its separator. What comes behind it stays. */
  async readHandshake(): Promise<string> {
    this.#scene.waitingFor = 'the answer to the handshake'
    for (;;) {
      const end = this.#received.indexOf(SEPARATOR)
      if (end !== -1) {
        const text = this.#received.toString('utf8', 0, end)
        this.#received = this.#received.subarray(end + 1)
        return text
      }
      if (!(await this.#read())) throw new Failure('an answer to the handshake', 'the end of the connection')
    }
  }

  async send(...messages: readonly Message[]): Promise<void> {
    for (const message of messages) await this.wire.send(this.protocol.encode(message))
  }

  /** The next message that is no ping; undefined where the connection has ended. */
  async take(): Promise<Message | undefined> {
    for (;;) {
      const decoded = this.protocol.decode(this.#received)
      if (decoded) {
        this.#received = this.#received.subarray(decoded.length)
        if (decoded.message.type !== PING) return decoded.message
        this.pings++
      } else if (!(await this.#read())) return undefined
    }
  }

  /** The next message that is no ping. */
  async next(what = 'a message'): Promise<Message> {
    this.#scene.waitingFor = what
    const message = await this.take()
    if (!message) throw new Failure(what, 'the end of the connection')
    return message
  }

  /** Expects these messages, in this order and with nothing between but pings. */
  async expect(...expected: readonly Message[]): Promise<void> {
    for (const message of expected) expectEqual(await this.next(show(message)), message)
  }

  /** Waits for a message of the type, and passes over what else comes. */
  async nextOf(type: number): Promise<Message> {
    for (;;) {
      const message = await this.next(`a message of type ${type}`)
      if (message.type === type) return message
    }
  }

  /** Invokes a method. @returns the id of the invocation */
  async start(target: string, ...args: readonly unknown[]): Promise<string> {
    const invocationId = this.createId()
    await this.send({ type: 1, invocationId, target, arguments: args })
    return invocationId
  }

  /** Invokes a method, and expects its completion to be the next that comes. */
  async call(target: string, ...args: readonly unknown[]): Promise<Message> {
    const invocationId = await this.start(target, ...args)
    const completion = await this.next(`the completion of ${target}`)
    expectEqual({ type: completion.type, invocationId: completion['invocationId'] }, { type: 3, invocationId })
    return completion
  }

  /** Invokes a method, and expects this result. */
  async expectResult(result: unknown, target: string, ...args: readonly unknown[]): Promise<void> {
    const completion = await this.call(target, ...args)
    const { invocationId } = completion
    expectEqual(completion, { type: 3, invocationId, result })
  }

  /** Expects that nothing comes: whatever the server had to say would come before the answer to this. */
  async expectSilence(): Promise<void> {
    await this.expectResult('silence', 'Echo', 'silence')
  }

  /** Expects the end, and, of a WebSocket, the code of its close frame. */
  async expectEnd(code = 1000): Promise<void> {
    this.#scene.waitingFor = 'the end of the connection'
    const message = await this.take()
    if (message) throw new Failure('the end of the connection', show(message))
    if (this.wire instanceof Socket) expectEqual(await this.wire.code(), code, 'close code')
  }

  createId(): string {
    return `c${++this.#invocations}`
  }

  async #read(): Promise<boolean> {
    const piece = await this.wire.next()
    if (!piece) return false
    this.#received = Buffer.concat([this.#received, piece.data])
    return true
  }
}

async function openWire(
  scene: Scene,
  transport: TransportName,
  hub: string,
  id: string,
  token: string | undefined,
): Promise<Wire> {
  switch (transport) {
    case 'WebSockets':
      return Socket.open(scene, withQuery(hub, { id }), bearer(token))
    case 'ServerSentEvents':
      return EventStream.open(scene, hub, id, { token })
    case 'LongPolling':
      return Polling.open(scene, hub, id, token)
    default:
      return transport satisfies never
  }
}

/** A client's WebSocket without a link around it, for what happens before and in the handshake. */
export async function openSocket(scene: Scene, hub = '/testhub'): Promise<Socket> {
  const { token } = await negotiate(scene, hub)
  return Socket.open(scene, withQuery(hub, { id: token }))
}

/** What each transport can carry. */
export const combinations: readonly { readonly transport: TransportName; readonly protocol: ProtocolName }[] = [
  { transport: 'WebSockets', protocol: 'json' },
  { transport: 'WebSockets', protocol: 'messagepack' },
  { transport: 'ServerSentEvents', protocol: 'json' },
  { transport: 'LongPolling', protocol: 'json' },
  { transport: 'LongPolling', protocol: 'messagepack' },
]
