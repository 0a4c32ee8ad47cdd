import * as newest from '@microsoft/signalr'
import * as oldest from 'signalr-3.1.3'
import { expect, expectTypeOf, it, onTestFinished } from 'vitest'
import type { ChannelContract, ClientEnvelope, TypedConnection } from '../src/index.ts'
import { serveChannel } from './served-channel.ts'
import { until } from './until.ts'

// That these are connections of the contract without a cast is half of the test: the compiler looks at it.
const builders: readonly [string, (url: string) => TypedConnection<ChannelContract>][] = [
  ['newest', (url) => new newest.HubConnectionBuilder().withUrl(url).configureLogging(newest.LogLevel.None).build()],
  ['3.1.3', (url) => new oldest.HubConnectionBuilder().withUrl(url).configureLogging(oldest.LogLevel.None).build()],
]

it.each(builders)('a connection of @microsoft/signalr %s is one of the channel', async (_, build) => {
  const { hubUrl } = await serveChannel({ clientMessagePolicy: ({ connectionId }) => ({ connections: connectionId }) })
  const connection = build(hubUrl)
  onTestFinished(() => connection.stop())
  const senders: string[] = []
  connection.on('ServerMessage', (message) => {
    expectTypeOf(message.Body).toBeUnknown()
    senders.push(message.Header.Sender)
  })
  await connection.start()
  const answer = await connection.invoke('Ping')
  expectTypeOf(answer).toEqualTypeOf<string>()
  expect(answer).toBe('Pong!')
  const message: ClientEnvelope = { Header: { Sender: 'Draft' }, Body: { any: ['value'] } }
  await connection.send('SendMessage', message)
  await connection.invoke('SendRawMessage', JSON.stringify(message))
  await connection.invoke('Echo', message)
  await until(() => senders.length === 3, 'all have come')
  expect(senders).toEqual(['Draft', 'Draft', 'Draft'])
})

it('the contract says what can be called, and with what', () => {
  type Connection = TypedConnection<ChannelContract>
  // @ts-expect-error there is no such method
  void ((connection: Connection) => connection.invoke('SendMesage', { Header: { Sender: 'S' } }))
  // @ts-expect-error a message has a sender
  void ((connection: Connection) => connection.invoke('SendMessage', { Header: {} }))
  // @ts-expect-error raw messages are text
  void ((connection: Connection) => connection.invoke('SendRawMessage', { Header: { Sender: 'S' } }))
  // @ts-expect-error the server calls no such method
  void ((connection: Connection) => connection.on('ServerMesage', () => {}))
})
