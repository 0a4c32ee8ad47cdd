import { type Check, expectEqual, expectThat, improvement, Skip } from './check.ts'
import { EventStream } from './event-stream.ts'
import { ask, withQuery } from './http.ts'
import { Link } from './link.ts'
import { negotiate } from './negotiation.ts'
import type { Message } from './protocol.ts'
import type { Scene } from './scene.ts'
import { askUpgrade, Socket } from './socket.ts'

const HANDSHAKE = '{"protocol":"json","version":1}\x1e'
const PATH = '/testhub'

const path = (id: string): string => withQuery(PATH, { id })

const echo = (text: string): string => `{"type":1,"invocationId":"${text}","target":"Echo","arguments":["${text}"]}\x1e`
const echoed = (text: string): Message => ({ type: 3, invocationId: text, result: text })

/** The other node, for the same check. */
function otherOf(scene: Scene): Scene {
  const { otherUrl } = scene.settings
  if (!otherUrl) throw new Skip('the address of another node was not given by --other-url')
  return scene.at(otherUrl)
}

async function post(node: Scene, id: string, body: string): Promise<void> {
  expectEqual((await ask(node, path(id), { method: 'POST', body })).status, 200, `status of a POST at ${node.url.host}`)
}

/** Polls at both nodes by turns until so much has come. */
async function pollBoth(nodes: readonly [Scene, Scene], id: string, until: string): Promise<void> {
  let text = ''
  for (let turn = 0; !text.endsWith(until); turn = 1 - turn) {
    const node = turn === 0 ? nodes[0] : nodes[1]
    const answer = await ask(node, path(id))
    expectEqual(answer.status, 200, `status of a poll at ${node.url.host}`)
    text += answer.text
  }
}

/** Several nodes behind one address, without sticky sessions. Source: SIGNALR 5. */
export const nodeChecks: readonly Check[] = [
  improvement('0.8.1', 'accepts a WebSocket with the id that another node gave', async (scene) => {
    const other = otherOf(scene)
    for (const [from, to] of [
      [scene, other],
      [other, scene],
    ] as const) {
      const negotiated = await negotiate(from)
      const link = new Link(to, await Socket.open(to, path(negotiated.token)), negotiated)
      await link.wire.send(HANDSHAKE)
      expectEqual(await link.readHandshake(), '{}')
      await link.expectResult(negotiated.connectionId, 'GetCallerConnectionId')
    }
  }),
  improvement('0.8.2', 'passes on server-sent events, and POSTs that land elsewhere', async (scene) => {
    const other = otherOf(scene)
    const negotiated = await negotiate(scene)
    const { token } = negotiated
    const link = new Link(other, await EventStream.open(other, PATH, token), negotiated)
    await post(other, token, HANDSHAKE)
    expectEqual(await link.readHandshake(), '{}')
    await post(scene, token, echo('here'))
    await link.expect(echoed('here'))
    await post(other, token, echo('there'))
    await link.expect(echoed('there'))
  }),
  improvement('0.8.3', 'passes on polls, POSTs and DELETE, wherever each of them lands', async (scene) => {
    const other = otherOf(scene)
    const { token } = await negotiate(scene)
    expectEqual((await ask(other, path(token))).status, 200, 'status of the first poll, at the other node')
    await post(scene, token, HANDSHAKE)
    await pollBoth([other, scene], token, '{}\x1e')
    for (const text of ['one', 'two', 'three']) {
      await post(text === 'two' ? scene : other, token, echo(text))
      await pollBoth([scene, other], token, `"result":"${text}"}\x1e`)
    }
    expectEqual((await ask(other, path(token), { method: 'DELETE' })).status, 202, 'status of DELETE at the other node')
    for (const node of [scene, other]) {
      expectEqual((await ask(node, path(token))).status, 404, `status afterwards at ${node.url.host}`)
    }
  }),
  improvement('0.8.4', 'takes no id that somebody made of one, on no node', async (scene) => {
    const other = otherOf(scene)
    const { token } = await negotiate(scene)
    expectEqual((await ask(other, path(token))).status, 200, 'status with the id as it was given')
    for (let at = 0; at < token.length; at += 5) {
      const made = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      expectEqual((await ask(other, path(made))).status, 404, 'status of a poll')
      expectEqual((await askUpgrade(other, path(made))).status, 404, 'status of an upgrade')
    }
  }),
  improvement('0.8.5', 'lets a stateful client that lands elsewhere know that it has to begin anew', async (scene) => {
    const other = otherOf(scene)
    const link = await Link.open(scene, { isStateful: true })
    await link.call('Echo', 'x')
    if (link.wire instanceof Socket) link.wire.cut()
    const { status } = await askUpgrade(other, path(link.token))
    if (status === 404) return
    // Taken for one that begins: it says no handshake, so that it is sent away at once.
    const socket = await Socket.open(other, path(link.token))
    await socket.send('{"type":9,"sequenceId":2}\x1e')
    expectEqual(await socket.code(), 1000, 'close code')
  }),
  improvement(
    '0.8.6',
    'answers 404 within 5 s for a connection whose node is dead',
    async (scene) => {
      const other = otherOf(scene)
      const { otherPid } = scene.settings
      if (otherPid === undefined) throw new Skip('the process of the other node was not named by --other-pid')
      const { token } = await negotiate(other)
      expectEqual((await ask(scene, path(token))).status, 200, 'status while the node lives')
      process.kill(otherPid, 'SIGKILL')
      const startedAt = performance.now()
      await scene.until('404 for a connection whose node is dead', async () => {
        const { status } = await ask(scene, path(token), { method: 'POST', body: 'x' })
        return status === 404 ? true : undefined
      })
      const ms = Math.round(performance.now() - startedAt)
      expectThat(ms < 5000, 'within 5 s', `${ms} ms`)
    },
    { phase: 'last' },
  ),
]
