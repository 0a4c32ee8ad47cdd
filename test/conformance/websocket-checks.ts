import { type Check, expectEqual, expectThat, required } from './check.ts'
import { withQuery } from './http.ts'
import { Link, openSocket } from './link.ts'
import { negotiate } from './negotiation.ts'
import { askUpgrade, Socket } from './socket.ts'

const HANDSHAKE = '{"protocol":"json","version":1}\x1e'
const ECHO = '{"type":1,"invocationId":"1","target":"Echo","arguments":["hi"]}\x1e'
const ECHOED = { type: 3, invocationId: '1', result: 'hi' }

export const webSocketChecks: readonly Check[] = [
  required('W1.1', 'makes a new connection of a WebSocket without an id', async (scene) => {
    const link = new Link(scene, await Socket.open(scene, '/testhub'), { connectionId: '', token: '' })
    await link.wire.send(HANDSHAKE)
    expectEqual(await link.readHandshake(), '{}')
    const { result } = await link.call('GetCallerConnectionId')
    expectThat(typeof result === 'string' && result.length >= 16, 'a connection id', result)
  }),
  required('W1.2', 'takes a WebSocket with an id for the connection that was negotiated', async (scene) => {
    const link = await Link.open(scene)
    await link.expectResult(link.connectionId, 'GetCallerConnectionId')
    await link.expectResult('WebSockets', 'GetActiveTransportName')
  }),
  required('W2.1', 'writes text frames in the JSON protocol', async (scene) => {
    const socket = await openSocket(scene)
    await socket.send(HANDSHAKE)
    expectEqual(await socket.next(), { data: Buffer.from('{}\x1e'), isBinary: false }, 'answer to the handshake')
    await socket.send(ECHO)
    const piece = await socket.next()
    expectEqual(piece?.isBinary, false, 'whether the answer is binary')
  }),
  required(
    'W2.2',
    'writes binary frames in the MessagePack protocol, the answer to the handshake too',
    async (scene) => {
      const socket = await openSocket(scene)
      await socket.send('{"protocol":"messagepack","version":1}\x1e')
      expectEqual(
        await socket.next(),
        { data: Buffer.from('7b7d1e', 'hex'), isBinary: true },
        'answer to the handshake',
      )
      await socket.send(Buffer.from('0e950180a130a44563686f91a26869', 'hex'))
      const answer = { data: Buffer.from('09950380a13003a26869', 'hex'), isBinary: true }
      expectEqual(await socket.next(), answer, 'answer to Echo')
    },
  ),
  required('W2.3', 'takes text and binary frames in either protocol', async (scene) => {
    const link = await Link.open(scene)
    await link.wire.send(Buffer.from(ECHO))
    await link.expect(ECHOED)
    const negotiated = await negotiate(scene)
    const socket = await Socket.open(scene, withQuery('/testhub', { id: negotiated.token }))
    await socket.send(Buffer.from('{"protocol":"messagepack","version":1}\x1e'))
    const packed = new Link(scene, socket, { ...negotiated, protocol: 'messagepack' })
    expectEqual(await packed.readHandshake(), '{}')
    await packed.expectSilence()
  }),
  required('W2.4', 'puts together a message that is split over frames, cut within a character', async (scene) => {
    const link = await Link.open(scene)
    const bytes = Buffer.from(ECHO.replace('hi', 'größer'))
    const cut = bytes.indexOf('ö') + 1
    await link.wire.send(bytes.subarray(0, cut))
    await link.wire.send(bytes.subarray(cut))
    await link.expect({ ...ECHOED, result: 'größer' })
  }),
  required('W2.5', 'takes several messages in one frame, and the fragments of one', async (scene) => {
    const link = await Link.open(scene)
    await link.wire.send(ECHO + ECHO)
    await link.expect(ECHOED, ECHOED)
    expectThat(link.wire instanceof Socket, 'a WebSocket', link.wire)
    link.wire.sendFragments(ECHO.slice(0, 10), ECHO.slice(10, 40), ECHO.slice(40))
    await link.expect(ECHOED)
  }),
  required('W2.6', 'passes over empty frames', async (scene) => {
    const link = await Link.open(scene)
    await link.wire.send('')
    await link.wire.send(Buffer.alloc(0))
    await link.expectSilence()
  }),
  required('W3.1', 'does not compress, although the client offers it', async (scene) => {
    const { status, headers } = await askUpgrade(scene, '/testhub')
    expectEqual(status, 101, 'status')
    expectEqual(headers.get('sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'accept')
    expectEqual(headers.get('sec-websocket-extensions'), undefined, 'extensions')
  }),
  required('W3.2', 'chooses no subprotocol', async (scene) => {
    const { status, headers } = await askUpgrade(scene, '/testhub', { 'Sec-WebSocket-Protocol': 'json, messagepack' })
    expectEqual(status, 101, 'status')
    expectEqual(headers.get('sec-websocket-protocol'), undefined, 'subprotocol')
  }),
  required('W4.1', 'ends with a Close message and then with the close code 1000', async (scene) => {
    const link = await Link.open(scene)
    await link.start('Abort')
    await link.expect({ type: 7 })
    if (link.wire instanceof Socket) link.wire.close()
    await link.expectEnd(1000)
  }),
  required('W4.2', 'answers a Close message and a close frame without a code with the code 1000', async (scene) => {
    const link = await Link.open(scene)
    await link.send({ type: 7 })
    if (link.wire instanceof Socket) link.wire.close()
    await link.expectEnd(1000)
  }),
  required('W4.3', 'answers a close frame alone with the code 1000', async (scene) => {
    const link = await Link.open(scene)
    if (link.wire instanceof Socket) link.wire.close()
    await link.expectEnd(1000)
  }),
]
