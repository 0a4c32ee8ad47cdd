import { describe, expect, it } from 'vitest'
import { HANDSHAKE, openHub } from './hub-scene.ts'

describe('the handshake', () => {
  it.each([
    ['as SignalR clients write it', '{"protocol":"json","version":1}\x1e'],
    ['with version 0', '{"protocol":"json","version":0}\x1e'],
    ['with version 2', '{"protocol":"json","version":2}\x1e'],
    ['in capitals', '{"protocol":"JSON","version":1}\x1e'],
    ['with more in it', '{"version":1,"protocol":"json","extra":{"a":[]}}\x1e'],
  ])('is answered {} where it comes %s', async (_, handshake) => {
    const { connect } = await openHub()
    const { hub, transport } = connect('a', { shakesHands: false })
    transport.send(handshake)
    expect([transport.text, hub.state]).toEqual(['{}\x1e', 'open'])
  })

  it('may come in pieces, as text or as bytes that part a character', async () => {
    const { connect } = await openHub()
    const bytes = Buffer.from('{"protocol":"json","version":1,"x":"日"}\x1e')
    const { transport } = connect('a', { shakesHands: false })
    for (const byte of bytes) transport.send(Buffer.from([byte]))
    expect(transport.text).toBe('{}\x1e')
    const other = connect('b', { shakesHands: false })
    for (const character of HANDSHAKE) other.transport.send(character)
    expect(other.transport.text).toBe('{}\x1e')
  })

  it('may be followed at once by messages, which are answered after it', async () => {
    const { connect } = await openHub()
    const { transport } = connect('a', { shakesHands: false })
    transport.send(`${HANDSHAKE}{"type":1,"invocationId":"1","target":"X","arguments":[]}\x1e`)
    expect(transport.records).toHaveLength(2)
    expect(transport.records[0]).toBe('{}')
  })

  it.each([
    ['another protocol', '{"protocol":"xml","version":1}\x1e', "The protocol 'xml' is not supported."],
    [
      'a later version',
      '{"protocol":"json","version":3}\x1e',
      "The server does not support version 3 of the 'json' protocol.",
    ],
    ['no JSON', 'hello\x1e', 'An unexpected error occurred during connection handshake.'],
    ['nothing', '\x1e', 'An unexpected error occurred during connection handshake.'],
    ['no protocol', '{"version":1}\x1e', 'An unexpected error occurred during connection handshake.'],
    ['no version', '{"protocol":"json"}\x1e', 'An unexpected error occurred during connection handshake.'],
    ['a ping', '{"type":6}\x1e', 'An unexpected error occurred during connection handshake.'],
    ['a deep value', `{"a":${'['.repeat(3000)}\x1e`, 'An unexpected error occurred during connection handshake.'],
    ['more bytes than a handshake has', 'x'.repeat(4097), 'Handshake was canceled.'],
    ['more bytes than a handshake has, with its end', `${'x'.repeat(4097)}\x1e`, 'Handshake was canceled.'],
  ])('is refused in words and with a close of 1000 where it is %s', async (_, data, error) => {
    const { channel, connect } = await openHub()
    const { hub, transport, ends } = connect('a', { shakesHands: false })
    transport.send(data)
    expect(transport.records).toEqual([JSON.stringify({ error })])
    expect([transport.closedWith, hub.state, channel.connectionCount]).toEqual([1000, 'closing', 0])
    expect(ends).toMatchObject([{ code: 'protocol_broken' }])
  })

  it('echoes no more of a protocol name than a word of it', async () => {
    const { connect } = await openHub()
    const { transport } = connect('a', { shakesHands: false })
    transport.send(JSON.stringify({ protocol: 'x'.repeat(4000), version: 1 }) + '\x1e')
    expect(transport.text.length).toBeLessThan(200)
  })

  it('has to come within 15 s, and is canceled in words then', async () => {
    const { clock, connect } = await openHub()
    const { hub, transport, ends } = connect('a', { shakesHands: false })
    transport.send(HANDSHAKE.slice(0, 10))
    clock.advance(14_999)
    hub.tick(clock.now())
    expect(transport.closedWith).toBeUndefined()
    clock.advance(1)
    hub.tick(clock.now())
    expect(transport.records).toEqual(['{"error":"Handshake was canceled."}'])
    expect(transport.closedWith).toBe(1000)
    expect(ends).toMatchObject([{ code: 'client_timeout' }])
  })

  it('comes before any message of the channel', async () => {
    const { clock, connect, post } = await openHub()
    const { transport } = connect('a', { shakesHands: false })
    await post(1)
    await clock.settle()
    expect(transport.text).toBe('')
    transport.send(HANDSHAKE)
    await post(2)
    await clock.settle()
    expect(transport.records.map((record) => JSON.parse(record).arguments?.[0].Body)).toEqual([undefined, 2])
  })

  it('that was refused is the last that is read of the client', async () => {
    const { connect } = await openHub()
    const { transport, ends } = connect('a', { shakesHands: false })
    transport.send('no\x1e')
    transport.send(HANDSHAKE)
    transport.hangUp()
    expect(transport.records).toHaveLength(1)
    expect(ends).toHaveLength(1)
  })
})
