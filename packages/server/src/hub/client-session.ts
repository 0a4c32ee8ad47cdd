import type { HubContract } from '@serverchannel/protocol'
import { MessageType } from '@serverchannel/protocol'
import { ChannelError } from '../channel/channel-error.ts'
import { Chunk, toBytes } from '../channel/chunk.ts'
import { findRefusal } from './admission.ts'
import { ClientResults } from './client-results.ts'
import { ConnectionContext } from './connection-context.ts'
import type { CallMessage, HubSession } from './hub.ts'
import type { HubContext } from './hub-context.ts'
import type { InvokeOptions, Member } from './hub-directory.ts'
import type { CloseMessage, HubPeer } from './hub-peer.ts'
import { Invocation, type InvocationMessage, type InvocationSession } from './invocation.ts'
import { invocationErrors } from './invocation-errors.ts'
import { InvocationQueue } from './invocation-queue.ts'
import { asksOnConnect, letConnect, tellDisconnected } from './lifecycle.ts'
import type { SessionParts } from './session-parts.ts'
import type { SharedCall } from './shared-call.ts'
import { Uploads } from './uploads.ts'
import { isUpload } from './validator.ts'

/**
 * One client of a hub. `connecting`: `onConnected` runs, and what the client says waits. `open`: it is served. `ended`:
 * nothing is said any more.
 */
export class ClientSession implements HubSession, Member, InvocationSession {
  readonly id: string
  readonly user: string | undefined
  readonly groups: Set<string> = new Set()
  readonly parts: SessionParts
  readonly #peer: HubPeer
  readonly #queue: InvocationQueue
  readonly #uploads: Uploads
  readonly #results: ClientResults
  readonly #context: ConnectionContext
  #state: 'connecting' | 'open' | 'ended' = 'connecting'
  /** Messages that came while it was connecting. */
  #backlog: CallMessage[] = []
  /** Streams that wait for the client to take what it got. */
  #whenTaken: (() => void)[] = []
  #isPaused = false
  /** Why it ended. */
  #error: Error | undefined

  constructor(peer: HubPeer, parts: SessionParts) {
    const { limits, clock, clients, groups } = parts
    this.id = peer.id
    this.user = peer.identity.user
    this.parts = parts
    this.#peer = peer
    this.#queue = new InvocationQueue(limits, () => this.#isFull)
    this.#uploads = new Uploads(limits, clock, () => this.#updatePause())
    this.#results = new ClientResults(clock, limits.clientResultsMax, limits.clientResultTimeoutMs)
    this.#context = new ConnectionContext(peer, clients, groups, () => this.#end({ type: MessageType.Close }))
  }

  /** Runs `onConnected`. To be called once; it is over when that is. Never rejects. */
  async connect(): Promise<void> {
    const { definition } = this.parts
    const refusal = asksOnConnect(definition) ? await letConnect(this.parts, this.#context.create()) : undefined
    if (refusal !== undefined) this.#end({ type: MessageType.Close, error: refusal })
    else if (this.#state === 'ended') void tellDisconnected(this.parts, this.#context.create(), this.#error)
    else this.#open()
  }

  /** While a call runs, or nothing is read of it, the client's silence is no timeout (SIGNALR 2.10 C1). */
  get isBusy(): boolean {
    return this.#state === 'connecting' || this.#isPaused || this.#queue.isBusy
  }

  onMessage(message: CallMessage): void {
    switch (this.#state) {
      case 'connecting':
        this.#keep(message)
        return
      case 'open':
        this.#handle(message)
        return
      case 'ended':
        return
      default:
        this.#state satisfies never
    }
  }

  onDrain(): void {
    if (this.#isFull) return
    for (const resolve of this.#whenTaken.splice(0)) resolve()
    this.#queue.start()
  }

  onKeepAlive(): boolean {
    return false
  }

  /** The client is gone; with the reason where it is not the client's own. Idempotent. */
  onDisconnected(error?: Error): void {
    if (this.#state === 'ended') return
    const wasOpen = this.#state === 'open'
    this.#state = 'ended'
    this.#error ??= error
    this.parts.directory.remove(this)
    const gone = new ChannelError('not_found', `Connection '${this.id}' was lost.`)
    this.#backlog = []
    this.#queue.leave()
    this.#uploads.failAll(gone)
    this.#results.rejectAll(gone)
    for (const resolve of this.#whenTaken.splice(0)) resolve()
    this.#context.gone()
    // Where it was connecting, `connect` does it after `onConnected`.
    if (wasOpen) void tellDisconnected(this.parts, this.#context.create(), this.#error)
  }

  deliver(call: SharedCall): void {
    const chunk = call.chunk(this.#peer.codec)
    if (chunk) this.#write(chunk)
  }

  async invoke(target: string, args: readonly unknown[], options: InvokeOptions): Promise<unknown> {
    // The client's answer would wait behind `onConnected`, which waits for it (T2).
    if (this.#state === 'connecting') {
      throw new Error('Client results inside OnConnectedAsync Hub methods are not allowed.')
    }
    const invocationId = this.parts.createInvocationId()
    const ask = (): void => this.send({ type: MessageType.Invocation, invocationId, target, arguments: args })
    const answer = this.#results.request(invocationId, ask, options)
    this.#updatePause()
    try {
      return await answer
    } finally {
      this.#updatePause()
    }
  }

  send(message: CallMessage): void {
    if (this.#state !== 'ended') this.#write(new Chunk(toBytes(this.#peer.codec.encode(message)), 1))
  }

  whenTaken(): Promise<void> | undefined {
    if (this.#state === 'ended' || !this.#isFull) return undefined
    return new Promise((resolve) => this.#whenTaken.push(resolve))
  }

  createContext(invocation: Invocation): HubContext<HubContract> {
    return this.#context.create(invocation)
  }

  onInvocationEnd(invocation: Invocation): void {
    const { streamIds } = invocation.message
    if (streamIds) this.#uploads.close(streamIds)
    this.#queue.remove(invocation)
    this.#peer.callEnded()
    if (this.#isPaused) this.#updatePause()
  }

  /** Whether the client is to take what it got before it gets more that it asked for. */
  get #isFull(): boolean {
    return this.#peer.bufferedBytes >= this.parts.limits.highWaterMarkBytes
  }

  #open(): void {
    this.#state = 'open'
    this.#peer.callEnded()
    for (const message of this.#backlog.splice(0)) this.onMessage(message)
    this.#updatePause()
  }

  #keep(message: CallMessage): void {
    this.#backlog.push(message)
    if (this.#backlog.length > this.parts.limits.waitingInvocationsMax) {
      this.#close(new ChannelError('protocol_broken', 'Too many messages came before the hub took any.'))
    } else this.#updatePause()
  }

  #handle(message: CallMessage): void {
    switch (message.type) {
      case MessageType.Invocation:
      case MessageType.StreamInvocation:
        this.#invoke(message)
        return
      case MessageType.StreamItem:
        this.#uploads.push(message.invocationId, message.item)
        return
      case MessageType.Completion:
        if (this.#uploads.has(message.invocationId)) this.#uploads.complete(message.invocationId, message.error)
        else this.#results.complete(message.invocationId, message.error, message.result)
        return
      case MessageType.CancelInvocation:
        this.#queue.cancel(message.invocationId)
        return
      default:
        message satisfies never
    }
  }

  #invoke(message: InvocationMessage): void {
    const { target, invocationId, streamIds = [] } = message
    // A stream without an id could be told nothing.
    if (message.type === MessageType.StreamInvocation && !invocationId) return
    const method = this.parts.definition.methods.get(target.toLowerCase())
    const error = method
      ? findRefusal(message, method, this.#queue, this.#uploads, this.parts.limits)
      : invocationErrors.unknownMethod(target)
    if (!method || error !== undefined) {
      if (invocationId) this.send({ type: MessageType.Completion, invocationId, ...(error ? { error } : {}) })
      return
    }
    const parameters = method.parameters?.filter(isUpload) ?? []
    const uploads = streamIds.map((id, index) => this.#uploads.open(id, parameters[index]?.item))
    this.#queue.add(new Invocation(this, message, method, uploads))
    this.#updatePause()
  }

  /** Writes it, unless the client has left so much untaken that it is better off coming back. */
  #write(chunk: Chunk): void {
    if (this.#state === 'ended') return
    const { heldBytesMax } = this.parts.limits
    if (this.#peer.bufferedBytes <= heldBytesMax) this.#peer.say(chunk)
    else this.#close(new ChannelError('reader_stalled', `The client has not taken ${heldBytesMax} bytes.`))
  }

  #close(error: ChannelError): void {
    this.#error = error
    this.#peer.close(error)
    this.onDisconnected(error)
  }

  #end(message: CloseMessage): void {
    if (this.#state === 'ended') return
    this.#peer.end(message)
    this.onDisconnected()
  }

  /** Reads the client on, or doesn't: what it says waits in its own network then. */
  #updatePause(): void {
    const { waitingInvocationsHigh } = this.parts.limits
    const isPaused =
      this.#state !== 'ended' &&
      (this.#backlog.length > 0 ||
        this.#uploads.isFull ||
        // A result that is awaited of the client may come behind its calls.
        (this.#queue.waitingCount >= waitingInvocationsHigh && this.#results.count === 0))
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#peer.pause()
    else this.#peer.resume()
  }
}
