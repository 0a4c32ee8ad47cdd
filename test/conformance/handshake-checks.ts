import { type Check, expectEqual, expectMatch, expectThat, required } from './check.ts'
import { ask, withQuery } from './http.ts'
import { Link, openSocket } from './link.ts'
import { negotiate } from './negotiation.ts'
import type { Scene } from './scene.ts'
import { Socket } from './socket.ts'

const ECHO = '{"type":1,"invocationId":"1","target":"Echo","arguments":["hi"]}\x1e'
const BROKEN = /^An unexpected error occurred during connection handshake\.(?: .*)?$/

async function openLink(scene: Scene, ...pieces: readonly (string | Buffer)[]): Promise<Link> {
  const negotiated = await negotiate(scene)
  const socket = await Socket.open(scene, withQuery('/testhub', { id: negotiated.token }))
  for (const piece of pieces) await socket.send(piece)
  return new Link(scene, socket, negotiated)
}

async function expectAccepted(scene: Scene, ...pieces: readonly (string | Buffer)[]): Promise<Link> {
  const link = await openLink(scene, ...pieces)
  expectEqual(await link.readHandshake(), '{}', `answer to ${String(pieces)}`)
  return link
}

async function expectRefused(scene: Scene, request: string | Buffer, error: RegExp): Promise<void> {
  const link = await openLink(scene, request)
  const answer = JSON.parse(await link.readHandshake()) as Record<string, unknown>
  expectMatch(typeof answer['error'] === 'string' ? answer['error'] : undefined, error, String(request).slice(0, 80))
  await link.expectEnd(1000)
}

export const handshakeChecks: readonly Check[] = [
  required('K1.1', 'answers the handshake with {} and a separator', async (scene) => {
    const socket = await openSocket(scene)
    await socket.send('{"protocol":"json","version":1}\x1e')
    expectEqual((await socket.next())?.data.toString(), '{}\x1e')
  }),
  required('K1.2', 'matches the name of the protocol in any case', async (scene) => {
    await (await expectAccepted(scene, '{"protocol":"Json","version":1}\x1e')).expectSilence()
    await (await expectAccepted(scene, '{"protocol":"JSON","version":1}\x1e')).expectSilence()
  }),
  required('K1.3', 'takes versions 0, 1 and 2', async (scene) => {
    for (const version of [0, 1, 2]) {
      await (await expectAccepted(scene, `{"protocol":"json","version":${version}}\x1e`)).expectSilence()
    }
  }),
  required('K1.4', 'passes over fields that it does not know, in any order', async (scene) => {
    await (
      await expectAccepted(scene, '{"extra":[1,{}],"version":1,"protocol":"json","more":null}\x1e')
    ).expectSilence()
  }),
  required('K1.5', 'puts together a handshake that comes in pieces', async (scene) => {
    const link = await expectAccepted(scene, '{"protocol":"js', 'on","version":1}', '\x1e')
    await link.expectSilence()
  }),
  required('K1.6', 'takes messages that follow the handshake in the same frame', async (scene) => {
    const link = await expectAccepted(scene, `{"protocol":"json","version":1}\x1e${ECHO}${ECHO.slice(0, 10)}`)
    await link.expect({ type: 3, invocationId: '1', result: 'hi' })
    await link.wire.send(ECHO.slice(10))
    await link.expect({ type: 3, invocationId: '1', result: 'hi' })
  }),
  required('K1.7', 'takes MessagePack that follows the handshake in the same frame', async (scene) => {
    const negotiated = await negotiate(scene)
    const socket = await Socket.open(scene, withQuery('/testhub', { id: negotiated.token }))
    const invocation = Buffer.from('0e950180a130a44563686f91a26869', 'hex')
    await socket.send(Buffer.concat([Buffer.from('{"protocol":"messagepack","version":1}\x1e'), invocation]))
    const link = new Link(scene, socket, { ...negotiated, protocol: 'messagepack' })
    expectEqual(await link.readHandshake(), '{}')
    await link.expect({ type: 3, invocationId: '0', result: 'hi' })
  }),
  required('K2.1', 'refuses an unknown protocol by its name, and closes with 1000', (scene) =>
    expectRefused(scene, '{"protocol":"xml","version":1}\x1e', /^The protocol 'xml' is not supported\.$/),
  ),
  required('K2.2', 'refuses a version above 2, and closes with 1000', (scene) =>
    expectRefused(
      scene,
      '{"protocol":"json","version":3}\x1e',
      /^The server does not support version 3 of the 'json' protocol\.$/,
    ),
  ),
  required('K2.3', 'refuses what is not JSON, or no object', async (scene) => {
    for (const text of ['{', 'nonsense', '[]', '"json"', '']) await expectRefused(scene, `${text}\x1e`, BROKEN)
  }),
  required('K2.4', 'refuses a handshake without a protocol or a version, or of other types', async (scene) => {
    await expectRefused(scene, '{"version":1}\x1e', BROKEN)
    await expectRefused(scene, '{"protocol":"json"}\x1e', BROKEN)
    await expectRefused(scene, '{"protocol":1,"version":1}\x1e', BROKEN)
    await expectRefused(scene, '{"protocol":"json","version":"1"}\x1e', BROKEN)
  }),
  required('K2.5', 'refuses a first message that is no handshake', async (scene) => {
    await expectRefused(scene, '{"type":6}\x1e', BROKEN)
    await expectRefused(scene, ECHO, BROKEN)
  }),
  required('K2.6', 'gives up on a handshake of more than 32 KB without an end', (scene) =>
    expectRefused(scene, 'x'.repeat(40_000), /^Handshake was canceled\.$/),
  ),
  required(
    'K2.7',
    'gives up on a client that does not shake hands within 15 s',
    async (scene) => {
      const link = await openLink(scene)
      const startedAt = performance.now()
      expectEqual(JSON.parse(await link.readHandshake()), { error: 'Handshake was canceled.' })
      const ms = performance.now() - startedAt
      expectThat(ms > 10_000, 'not before 10 s', ms)
      await link.expectEnd(1000)
    },
    { takesMs: () => 16_000 },
  ),
  required('K3.1', 'turns stateful reconnect off where the handshake is of version 1', async (scene) => {
    const link = await Link.open(scene, { isStateful: true, version: 1 })
    await link.expectSilence()
    if (link.wire instanceof Socket) link.wire.cut()
    await scene.until('404 after the connection was lost', async () => {
      const { status } = await ask(scene, withQuery('/testhub', { id: link.token }))
      return status === 404 ? true : undefined
    })
  }),
]
