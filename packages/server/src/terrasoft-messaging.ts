import { currentChannel, type LocalChannel } from './current-channel.ts'

/** Source: PARITY 1.2, `IMsgHeader`. */
export interface MsgHeader {
  Sender: string
  BodyTypeName?: string
  ChannelType?: string
}

/** Source: PARITY 1.2, `IMsg`. */
export interface Msg {
  Id: string
  readonly Header: MsgHeader
  Body: unknown
}

/**
 * A message as C# code builds it. `Id` names it for the code that made it; pages get an id of their own, since many
 * programs put a user's or a record's id there. Source: PARITY 1.2.
 *
 * @example new Terrasoft.Messaging.Common.SimpleMessage({ Header: { Sender: 'OrderChanged' }, Body: { id: 42 } })
 */
export class SimpleMessage implements Msg {
  Id: string
  readonly Header: MsgHeader
  Body: unknown

  constructor({ Id = '', Header = { Sender: '' }, Body = null }: Partial<Msg> = {}) {
    this.Id = Id
    this.Header = Header
    this.Body = Body
  }
}

/** All connections of a user, on all nodes. Source: PARITY 1.2, `IMsgChannel`. */
export interface MsgChannel {
  /** The user's id. */
  readonly Id: string
  /** The same: the channel knows users by their ids only. */
  readonly Name: string
  /** Posts to the user. A text is a message as JSON: `{ "Header": { "Sender": … }, "Body": … }`. Nobody there is no error. */
  PostMessage(message: Msg | string): void
  /** Calls the handler with what the user's pages send. Returns what takes it off again. */
  OnMessage(handler: (sender: MsgChannel, message: Msg) => void): () => void
  /** Calls the handler when the user's last connection is gone, within some seconds. Returns what takes it off again. */
  OnConnectionClose(handler: (sender: MsgChannel) => void): () => void
}

/** Source: PARITY 1.2, `IMsgChannelManager`. */
export interface MsgChannels {
  /** Of the users who are connected now, on any node. */
  readonly Channels: { readonly Count: number; readonly Values: readonly MsgChannel[] }
  /** The user's channel; null where the user is not connected on any node. */
  FindItemByUId(id: string): MsgChannel | null
  /** Posts to users: those who are not there get it when they come back, one named twice gets it once. */
  Post(channels: Iterable<string>, message: Msg): void
  PostToAll(message: Msg): void
}

/** `MsgChannelManager.Instance` where this process has no channel. */
export class InvalidOperationException extends Error {
  override readonly name = 'InvalidOperationException'
}

/** How often it is looked whether a user is still there, by those who want to be told. */
const LOOK_MS = 1000

/** The channels of users, of this process's channel. Source: PARITY 1.2. */
export const MsgChannelManager: { readonly IsRunning: boolean; readonly Instance: MsgChannels } = {
  get IsRunning() {
    return currentChannel() !== undefined
  },
  /** @throws InvalidOperationException where this process has no channel */
  get Instance() {
    const channel = currentChannel()
    if (!channel) {
      throw new InvalidOperationException('This process has no channel. Call createServerChannel() first.')
    }
    return channelsOf(channel)
  },
}

function channelsOf(channel: LocalChannel): MsgChannels {
  return {
    get Channels() {
      const Values = [...channel.presence().keys()].map((user) => channelOf(channel, user))
      return { Count: Values.length, Values }
    },
    FindItemByUId: (id) => (channel.isOnline(id) ? channelOf(channel, id) : null),
    Post(channels, message) {
      const users = [...channels]
      // To nobody: as in the original, that is no error.
      if (users.length > 0) post(channel, message, { users })
    },
    PostToAll: (message) => post(channel, message, 'all'),
  }
}

function channelOf(channel: LocalChannel, user: string): MsgChannel {
  const own: MsgChannel = {
    Id: user,
    Name: user,
    PostMessage: (message) => post(channel, typeof message === 'string' ? parse(message) : message, { users: user }),
    OnMessage: (handler) =>
      channel.onClientMessage((message, sender) => {
        if (sender.user !== user) return
        const { id, sender: Sender, bodyTypeName, channelType, body } = message
        const header = { Sender, ...(bodyTypeName ? { BodyTypeName: bodyTypeName } : {}) }
        const Header = { ...header, ...(channelType ? { ChannelType: channelType } : {}) }
        handler(own, { Id: id, Header, Body: body })
      }),
    OnConnectionClose(handler) {
      let wasOnline = channel.isOnline(user)
      const timer = setInterval(() => {
        const isOnline = channel.isOnline(user)
        const isGone = wasOnline && !isOnline
        wasOnline = isOnline
        if (isGone) handler(own)
      }, LOOK_MS)
      timer.unref()
      return () => clearInterval(timer)
    },
  }
  return own
}

/** As all posts of the original: what fails is logged, and throws nothing. */
function post(channel: LocalChannel, { Header, Body }: Msg, to: 'all' | { users: string | readonly string[] }): void {
  const { Sender, BodyTypeName, ChannelType } = Header
  void channel.post({
    to,
    sender: Sender,
    body: Body,
    ...(BodyTypeName ? { bodyTypeName: BodyTypeName } : {}),
    ...(ChannelType ? { channelType: ChannelType } : {}),
  })
}

/** @throws TypeError where the text is no message: that is a mistake of the caller's */
function parse(text: string): Msg {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new TypeError('PostMessage takes a message, or one as JSON text; this text is no JSON.', { cause })
  }
  const { Header } = (value ?? {}) as Partial<Msg>
  if (typeof Header?.Sender !== 'string') throw new TypeError("The message has no 'Header.Sender'.")
  return new SimpleMessage(value as Partial<Msg>)
}
