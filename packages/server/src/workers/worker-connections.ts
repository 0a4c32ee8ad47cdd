import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { jsonCodec } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import { Channel } from '../channel/channel.ts'
import { ChannelError, isErrorCode } from '../channel/channel-error.ts'
import { Chunk, toBytes } from '../channel/chunk.ts'
import type { Clock } from '../channel/clock.ts'
import type { Transport } from '../channel/transport.ts'
import { ChannelHub } from '../hub/channel-hub.ts'
import type { Hub, HubSession } from '../hub/hub.ts'
import { HubConnection, type HubConnectionParts } from '../hub/hub-connection.ts'
import type { HubPeer, HubRequest } from '../hub/hub-peer.ts'
import { Roster } from '../hub/roster.ts'
import type { ServedConnectionInit } from '../hub/served-connection.ts'
import { TurnWriter } from '../hub/turn-writer.ts'
import type { DirectWrites, Limits } from '../options.ts'
import { SocketWriter } from '../transports/socket-writer.ts'
import { WebSocketAcceptor } from '../transports/websocket.ts'
import type { Link } from './link.ts'
import type { HandedSocket, SentError, ToConnection, ToServer } from './messages.ts'
import { PassedCalls } from './passed-calls.ts'
import type { RelayStore } from './relay-store.ts'

export interface WorkerConnectionsParts {
  readonly store: RelayStore
  readonly link: Pick<Link<ToServer, never>, 'send' | 'bufferedBytes'>
  readonly limits: Limits
  readonly directWrites: DirectWrites
  readonly clock: Clock
}

const REQUEST: HubRequest = { transport: 'WebSockets', url: '', headers: {}, remoteAddress: undefined }

/** The connections of a worker: sockets come from the server's process, entries through its store. */
export class WorkerConnections {
  readonly #parts: WorkerConnectionsParts
  readonly #channel: Channel
  readonly #calls: PassedCalls
  readonly #roster: Roster
  readonly #acceptor: WebSocketAcceptor
  readonly #hubParts: HubConnectionParts
  readonly #byNumber = new Map<number, HubConnection>()
  readonly #numbers = new Map<string, number>()
  /** What was said of connections whose sockets are on their way. */
  readonly #early = new Map<number, ToConnection[]>()
  /** The newest that came. */
  #newest = 0

  constructor(parts: WorkerConnectionsParts) {
    const { store, link, limits, directWrites, clock } = parts
    this.#parts = parts
    // Nobody posts here.
    this.#channel = new Channel({ store, clock, limits, createId: () => '' })
    this.#calls = new PassedCalls(link, (id) => this.#numbers.get(id) ?? 0)
    this.#roster = new Roster(limits, clock)
    this.#acceptor = new WebSocketAcceptor(limits, new SocketWriter(directWrites))
    const channelHub = new ChannelHub(this.#channel, this.#calls)
    const hub: Hub = { onConnected: (peer) => this.#onHandshake(peer, channelHub) }
    const codecs = [jsonCodec, messagePackCodec]
    this.#hubParts = { hub, codecs, limits, clock, turnWriter: new TurnWriter(clock), detailedErrors: false }
  }

  open(): Promise<void> {
    return this.#channel.open()
  }

  /** A socket whose client was let in. Undefined: it was gone before it could be handed over. */
  take(handed: HandedSocket, socket: Socket | undefined): void {
    const { connection: number, url, headers, head } = handed
    this.#newest = number
    this.#parts.link.send({ kind: 'arrived', connection: number })
    const early = this.#early.get(number) ?? []
    this.#early.delete(number)
    if (!socket) {
      this.#gone(number)
      return
    }
    const request = new IncomingMessage(socket)
    request.method = 'GET'
    request.url = url
    Object.assign(request.headers, headers)
    // Where ws refuses the upgrade, and never opens, the socket ends without a connection.
    const onRefused = (): void => this.#gone(number)
    socket.once('close', onRefused)
    socket.on('error', ignore)
    this.#acceptor.accept(request, socket, toBytes(head), (transport) => {
      socket.off('close', onRefused)
      socket.off('error', ignore)
      this.#serve(handed, transport)
      for (const message of early) this.onMessage(message)
    })
  }

  onMessage(message: ToConnection): void {
    const connection = this.#byNumber.get(message.connection)
    if (!connection) {
      if (message.connection > this.#newest) this.#keep(message)
      return
    }
    switch (message.kind) {
      case 'close':
        connection.close(toChannelError(message.error))
        return
      case 'renew':
        connection.renew(message.identity)
        return
      case 'group':
        if (message.isIn) this.#channel.joinGroup(connection.id, message.group)
        else this.#channel.leaveGroup(connection.id, message.group)
        return
      case 'pace':
        this.#channel.tellEvery(connection.id, message.intervalMs)
        return
      case 'say':
        this.#say(connection, new Chunk(toBytes(message.payload), message.countedMessages))
        return
      case 'end':
        connection.end(message.message)
        return
      case 'taken':
      case 'callEnded':
      case 'pause':
        this.#calls.onMessage(message)
        return
      default:
        message satisfies never
    }
  }

  /** What was sent to the server's process has been taken. */
  onDrain(): void {
    this.#calls.onDrain()
  }

  #serve({ connection: number, id, identity, position, owner }: HandedSocket, transport: Transport): void {
    const init: ServedConnectionInit = {
      id,
      identity,
      position,
      owner,
      transport,
      isStateful: false,
      request: REQUEST,
      onEnd: (_, error) => this.#parts.link.send({ kind: 'ended', connection: number, error: error && toSent(error) }),
      onGone: (gone) => {
        this.#roster.remove(gone)
        this.#byNumber.delete(number)
        this.#numbers.delete(id)
        this.#gone(number)
      },
    }
    const connection = new HubConnection(init, this.#hubParts)
    this.#byNumber.set(number, connection)
    this.#numbers.set(id, number)
    this.#roster.add(connection)
    connection.start()
  }

  #onHandshake(peer: HubPeer, hub: Hub): HubSession {
    this.#parts.link.send({
      kind: 'handshaken',
      connection: this.#numbers.get(peer.id) ?? 0,
      codec: peer.codec.name,
    })
    return hub.onConnected(peer)
  }

  /** What a hub's runtime does in the process that it runs in: who takes nothing is better off coming back. */
  #say(connection: HubConnection, chunk: Chunk): void {
    const { heldBytesMax } = this.#parts.limits
    if (connection.bufferedBytes <= heldBytesMax) connection.say(chunk)
    else connection.close(new ChannelError('reader_stalled', `The client has not taken ${heldBytesMax} bytes.`))
  }

  #keep(message: ToConnection): void {
    const early = this.#early.get(message.connection)
    if (early) early.push(message)
    else this.#early.set(message.connection, [message])
  }

  #gone(connection: number): void {
    this.#parts.link.send({ kind: 'gone', connection })
  }
}

function toSent({ code, message }: ChannelError): SentError {
  return { code, message }
}

function toChannelError({ code, message }: SentError): ChannelError {
  return new ChannelError(isErrorCode(code) ? code : 'internal', message)
}

function ignore(): void {}
