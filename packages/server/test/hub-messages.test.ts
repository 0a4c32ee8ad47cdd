import { describe, expect, it } from 'vitest'
import { HANDSHAKE, openHub, PING } from './hub-scene.ts'

const CLOSED_WITH_ERROR = '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}'

describe('what a client calls', () => {
  it.each([1, 4])('that there is no such method is said exactly so, to a call of type %i', async (type) => {
    const { connect } = await openHub()
    const { transport } = connect('a')
    transport.send(`{"type":${type},"invocationId":"11","target":"NoSuchMethod","arguments":[1]}\x1e`)
    expect(transport.records[1]).toBe(
      `{"type":3,"invocationId":"11","error":"Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist."}`,
    )
  })

  it.each([
    ['has no invocationId', '{"type":1,"target":"X","arguments":[]}'],
    ['has an empty invocationId', '{"type":1,"invocationId":"","target":"X","arguments":[]}'],
    ['is a stream item of no stream', '{"type":2,"invocationId":"9","item":1}'],
    ['is a completion of no call', '{"type":3,"invocationId":"9","result":1}'],
    ['cancels no call', '{"type":5,"invocationId":"9"}'],
    ['acknowledges', '{"type":8,"sequenceId":1}'],
    ['is a sequence', '{"type":9,"sequenceId":1}'],
    ['is of a type that nobody knows', '{"type":42}'],
    ['is a ping', '{"type":6}'],
  ])('is not answered where it %s, and the connection lives', async (_, record) => {
    const { connect } = await openHub()
    const { hub, transport } = connect('a')
    transport.send(`${record}\x1e`)
    expect(transport.records).toEqual(['{}'])
    expect(hub.state).toBe('open')
  })

  it.each([
    ['is not JSON', 'hello\x1e', 'protocol_broken'],
    ['is empty', '\x1e', 'protocol_broken'],
    ['is no object', '[]\x1e', 'protocol_broken'],
    ['has no type', '{}\x1e', 'protocol_broken'],
    ['has a null target', '{"type":1,"target":null,"arguments":[]}\x1e', 'protocol_broken'],
    ['nests too deep', `{"type":6,"x":${'['.repeat(64)}${']'.repeat(64)}}\x1e`, 'protocol_broken'],
    ['has 32,769 bytes', `${'a'.repeat(32_769)}\x1e`, 'message_too_large'],
    ['never ends', 'a'.repeat(32_769), 'message_too_large'],
  ])('closes the connection with an error where it %s', async (_, data, code) => {
    const { channel, connect } = await openHub()
    const { hub, transport, ends } = connect('a')
    transport.send(data)
    expect(transport.records).toEqual(['{}', CLOSED_WITH_ERROR])
    expect([transport.closedWith, hub.state, channel.connectionCount]).toEqual([1000, 'closing', 0])
    expect(ends).toMatchObject([{ code }])
  })

  it('may have 32,768 bytes', async () => {
    const { connect } = await openHub()
    const { hub, transport } = connect('a')
    const shell = '{"type":6,"x":""}'
    transport.send(`{"type":6,"x":"${'a'.repeat(32_768 - shell.length)}"}\x1e`)
    expect(hub.state).toBe('open')
  })

  it('is handled up to the message that is broken', async () => {
    const { connect } = await openHub()
    const { transport } = connect('a')
    const once = '{"type":1,"invocationId":"1","target":"X","arguments":[]}\x1e'
    transport.send(`${once}no\x1e${once}`)
    expect(transport.records).toHaveLength(3)
    expect(transport.records[2]).toBe(CLOSED_WITH_ERROR)
  })

  it('may be bytes that part characters', async () => {
    const { connect } = await openHub()
    const { transport } = connect('a')
    const bytes = Buffer.from('{"type":1,"invocationId":"1","target":"日本😀","arguments":[]}\x1e')
    for (const byte of bytes) transport.send(Buffer.from([byte]))
    expect(transport.records[1]).toContain("'日本😀'")
  })
})

describe('the end', () => {
  it('is said by the client with a close message, and answered with a close of 1000', async () => {
    const { channel, connect } = await openHub()
    const client = connect('a')
    client.transport.send('{"type":7}\x1e{"type":1,"invocationId":"1","target":"X","arguments":[]}\x1e')
    expect(client.transport.records).toEqual(['{}'])
    expect([client.transport.closedWith, channel.connectionCount, client.ends]).toEqual([1000, 0, [undefined]])
    expect(client.goneCount).toBe(0)
    client.transport.hangUp()
    expect([client.hub.state, client.goneCount, client.ends]).toEqual(['closed', 1, [undefined]])
  })

  it('comes when the client is gone, in the middle of whatever', async () => {
    for (const sent of ['', HANDSHAKE.slice(0, 5), HANDSHAKE, `${HANDSHAKE}{"type":`]) {
      const { channel, connect } = await openHub()
      const client = connect('a', { shakesHands: false })
      client.transport.send(sent)
      client.transport.hangUp()
      expect([channel.connectionCount, client.ends, client.goneCount]).toEqual([0, [undefined], 1])
    }
  })

  it('leaves nobody who gets messages', async () => {
    const { clock, connect, post } = await openHub()
    const { transport } = connect('a')
    transport.send('{"type":7}\x1e')
    expect(await post(1)).toMatchObject({ connections: 0 })
    await clock.settle()
    expect(transport.records).toEqual(['{}'])
  })
})

describe('a hub that fails', () => {
  const broken = (): never => {
    throw new Error('secret=1')
  }
  const session = { isBusy: false, onMessage: broken, onDrain() {}, onKeepAlive: () => false, onDisconnected() {} }

  it.each([
    ['when a client has connected', broken, ''],
    ['over a message', () => session, call(1)],
    ['over a message of a flood', () => session, PING.repeat(150) + call(1)],
  ])('%s ends that connection, says no more than that, and throws at nobody', async (_, onConnected, data) => {
    const { clock, connect } = await openHub()
    const { transport, ends } = connect('a', { hub: { onConnected } })
    transport.send(data)
    await clock.settle()
    expect(ends).toMatchObject([{ code: 'internal', cause: { message: 'secret=1' } }])
    expect(transport.closedWith).toBe(1011)
    expect(transport.text).toContain('"error":"internal: ')
    expect(transport.text).not.toContain('secret')
  })
})

describe('a flood of messages', () => {
  it('is handled in turns, in order, and the peer is paused meanwhile', async () => {
    const { clock, connect } = await openHub({ receivedMessagesPerTurn: 10 })
    const { transport } = connect('a')
    const calls = Array.from({ length: 25 }, (_, index) => call(index)).join('')
    transport.send(calls)
    transport.send(call(25))
    // Of each turn's answers the first is out at once, the others when the next turn has begun.
    expect([transport.records.length - 1, transport.isPaused]).toEqual([1, true])
    clock.turn()
    expect([transport.records.length - 1, transport.isPaused]).toEqual([11, true])
    clock.turn()
    expect([transport.records.length - 1, transport.isPaused]).toEqual([21, false])
    clock.turn()
    expect([transport.records.length - 1, transport.isPaused]).toEqual([26, false])
    expect(idsOf(transport.records)).toEqual(Array.from({ length: 26 }, (_, index) => String(index)))
  })

  it('keeps the order also where more pieces come in spite of the pause', async () => {
    const { clock, connect } = await openHub({ receivedMessagesPerTurn: 2 })
    const { hub, transport } = connect('a')
    const text = Array.from({ length: 9 }, (_, index) => call(index)).join('')
    // As ws does: what it has read already it still gives, here cut in the middle of messages.
    for (let start = 0; start < text.length; start += 150) hub.onData(text.slice(start, start + 150))
    expect(transport.isPaused).toBe(true)
    await clock.settle()
    expect(idsOf(transport.records)).toEqual(Array.from({ length: 9 }, (_, index) => String(index)))
    expect(transport.isPaused).toBe(false)
  })

  it('ends with the connection', async () => {
    const { clock, connect } = await openHub({ receivedMessagesPerTurn: 10 })
    const { transport, ends } = connect('a')
    transport.send(PING.repeat(1000))
    transport.hangUp()
    await clock.settle()
    expect(ends).toEqual([undefined])
  })

  it('does not outlive an error in it', async () => {
    const { clock, connect } = await openHub({ receivedMessagesPerTurn: 10 })
    const { transport, ends } = connect('a')
    transport.send(`${PING.repeat(25)}no\x1e${call(1)}`)
    await clock.settle()
    expect(transport.records).toEqual(['{}', CLOSED_WITH_ERROR])
    expect(ends).toMatchObject([{ code: 'protocol_broken' }])
  })
})

describe('a peer that does not read its answers', () => {
  it('is held: nothing more is taken from it until it reads, and nothing is lost', async () => {
    const { clock, connect } = await openHub({ highWaterMarkBytes: 4096, receivedMessagesPerTurn: 10_000 })
    const { transport } = connect('a')
    transport.isTaking = false
    for (let index = 0; index < 1000; index++) transport.send(call(index))
    await clock.settle()
    expect(transport.isPaused).toBe(true)
    expect(transport.bufferedBytes).toBeLessThan(4096 + 200)
    for (let turn = 0; turn < 1000 && transport.pipe.length > 0; turn++) {
      transport.take()
      await clock.settle()
    }
    expect(idsOf(transport.records)).toEqual(Array.from({ length: 1000 }, (_, index) => String(index)))
    expect(transport.isPaused).toBe(false)
  })

  it('is held also by messages of the channel that it does not read', async () => {
    const { clock, connect, post } = await openHub({ highWaterMarkBytes: 4096 })
    const { transport } = connect('a')
    transport.isTaking = false
    await post('x'.repeat(5000))
    await clock.settle()
    transport.send(call(1))
    await clock.settle()
    expect(transport.pipe).toHaveLength(1)
    transport.take()
    await clock.settle()
    expect(transport.pipe).toHaveLength(1)
  })
})

function call(index: number): string {
  return `{"type":1,"invocationId":"${index}","target":"X","arguments":[]}\x1e`
}

function idsOf(records: readonly string[]): unknown[] {
  return records.slice(1).map((record) => (JSON.parse(record) as { invocationId?: string }).invocationId)
}
