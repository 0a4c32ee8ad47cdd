import { describe, expect, it } from 'vitest'
import { range } from './channel-scene.ts'
import { type OpenClient, receive, type Said, type TransportClient } from './transport-clients.ts'
import { type TransportTraits, useScenes } from './transport-contract.ts'
import { ask, HANDSHAKE, RECORD_END } from './transport-http.ts'
import type { TransportScene } from './transport-scene.ts'
import { until } from './until.ts'

const CLOSE = { type: 7, error: 'Connection closed with an error.', allowReconnect: true }

/** What every transport on which clients send does with what they send. */
export function describeTransportInput(name: string, openClient: OpenClient, traits: TransportTraits = {}): void {
  const { scene: open, client: connect } = useScenes(openClient, traits)
  const { takesNothing } = traits
  if (takesNothing) {
    it.skip(`${name}: to the server (${takesNothing})`, () => {})
    return
  }

  describe(`${name}: to the server`, () => {
    it('takes what the client sends, however it is cut', async () => {
      const scene = await open()
      const client = await connect(scene, { shakesHands: false })
      const all = Buffer.from(
        HANDSHAKE +
          range(1, 12)
            .map((n) => call(n, `Мир😀${n}`))
            .join(''),
      )
      for (let at = 0, size = 1; at < all.length; at += size, size = (size % 13) + 1) {
        await client.send(all.subarray(at, at + size))
      }
      expect(await answers(client, 12)).toEqual(range(1, 12).map((n) => [String(n), `Мир😀${n}`]))
      expect(client.said[0]).toEqual({})
    })

    it('takes many messages in one piece, the handshake among them, in order', async () => {
      const scene = await open()
      const client = await connect(scene, { shakesHands: false })
      const calls = range(1, 950).map((n) => call(n, 'X'))
      await client.send(HANDSHAKE + calls.join(''))
      expect((await answers(client, 950)).map(([id]) => Number(id))).toEqual(range(1, 950))
    })

    it('takes pieces that are sent at the same time, each whole', async () => {
      const scene = await open()
      const client = await connect(scene)
      await Promise.all(range(1, 20).map((n) => client.send(call(n, 'X') + call(n, 'Y'))))
      const pairs = await answers(client, 40)
      const expected = pairs
        .filter((_, index) => index % 2 === 0)
        .flatMap(([id]) => [
          [id, 'X'],
          [id, 'Y'],
        ])
      expect(pairs).toEqual(expected)
    })

    it('takes empty pieces, pings, and messages of unknown types', async () => {
      const scene = await open()
      const client = await connect(scene)
      await client.send('')
      await client.send(`{"type":6}${RECORD_END}{"type":99,"x":[]}${RECORD_END}`)
      await client.send(call(1, 'X'))
      expect(await answers(client, 1)).toEqual([['1', 'X']])
    })

    it('takes no more from a client that does not read its answers, and all of it once it reads', async () => {
      const scene = await open({ limits: { highWaterMarkBytes: 64 * 1024 } })
      const client = await connect(scene)
      const connection = await scene.connected(1)
      client.stopReading()
      const method = 'X'.repeat(30_000)
      const sent: Promise<number>[] = []
      let count = 0
      const isHeldUp = (): boolean => connection.bufferedBytes >= scene.limits.highWaterMarkBytes
      while (!isHeldUp() && count < 3000) {
        const taken = client.send([++count, ++count, ++count].map((n) => call(n, method)).join(''))
        sent.push(taken)
        await Promise.race([taken, until(isHeldUp, 'the client holds the server up')])
      }
      let isLastTaken = false
      sent.push(client.send(call(++count, method)).finally(() => (isLastTaken = true)))
      // Answered after it came, on another connection.
      await ask(scene.url)
      // The system's own buffers take what goes to a WebSocket; a POST is answered when the hub takes it.
      if (!name.startsWith('WebSockets')) expect(isLastTaken).toBe(false)
      expect(connection.bufferedBytes).toBeLessThan(scene.limits.highWaterMarkBytes + 30_200)
      client.goOnReading()
      expect(new Set(await Promise.all(sent))).toEqual(new Set([200]))
      expect((await answers(client, count)).map(([id]) => Number(id))).toEqual(range(1, count))
    })
  })

  describe(`${name}: what is refused`, () => {
    /** A client and one that does nothing wrong. */
    async function openBoth(shakesHands: boolean): Promise<[TransportScene, TransportClient, TransportClient]> {
      const scene = await open()
      const bystander = await connect(scene)
      return [scene, await connect(scene, { shakesHands }), bystander]
    }

    async function expectUnharmed(scene: TransportScene, bystander: TransportClient): Promise<void> {
      await scene.post('still')
      expect(await receive(bystander, 1)).toEqual(['still'])
      expect(bystander.isEnded()).toBe(false)
    }

    it.each<[string, string | Buffer]>([
      ['no JSON', `{"type":1,${RECORD_END}`],
      ['no object', `[1]${RECORD_END}`],
      ['no type', `{"target":"X"}${RECORD_END}`],
      ['a message above the bound', `{"type":6,"x":"${'x'.repeat(33_000)}"}${RECORD_END}`],
      ['a message without end above the bound', `{"type":6,"x":"${'x'.repeat(33_000)}`],
      ['nesting above the bound', `{"type":6,"x":${'['.repeat(100)}${']'.repeat(100)}}${RECORD_END}`],
      ['nothing but separators', RECORD_END.repeat(30_000)],
      ['random bytes', Buffer.from(range(0, 255).concat(0x1e))],
    ])('is %s: said with a Close message, and the end', async (_, data) => {
      const [scene, client, bystander] = await openBoth(true)
      await client.send(data)
      await until(client.isEnded, 'the client has seen the end')
      expect(client.said.slice(1)).toEqual([CLOSE])
      await until(() => scene.connectionCount === 1, 'it is gone')
      await expectUnharmed(scene, bystander)
    })

    it.each<[string, string, string]>([
      [
        'a first message that is no handshake',
        call(1, 'X'),
        'An unexpected error occurred during connection handshake.',
      ],
      ['a handshake that is no JSON', `x${RECORD_END}`, 'An unexpected error occurred during connection handshake.'],
      ['a handshake above the bound', `{"protocol":"${'x'.repeat(5000)}`, 'Handshake was canceled.'],
      ['an unknown protocol', `{"protocol":"xml","version":1}${RECORD_END}`, "The protocol 'xml' is not supported."],
      [
        'an unknown version',
        `{"protocol":"json","version":3}${RECORD_END}`,
        "The server does not support version 3 of the 'json' protocol.",
      ],
    ])('is %s: said in answer to the handshake, and the end', async (_, data, error) => {
      const [scene, client, bystander] = await openBoth(false)
      await client.send(data)
      await until(client.isEnded, 'the client has seen the end')
      expect(client.said).toEqual([{ error }])
      await until(() => scene.connectionCount === 1, 'it is gone')
      await expectUnharmed(scene, bystander)
    })

    it('is a handshake that does not come in time', async () => {
      const [scene, client, bystander] = await openBoth(false)
      await client.send('{"protocol":"json"')
      await until(() => scene.connectionCount === 2, 'both are there')
      scene.clock.advance(scene.limits.handshakeTimeoutMs + 1000)
      await until(client.isEnded, 'the client has seen the end')
      expect(client.said).toEqual([{ error: 'Handshake was canceled.' }])
      await expectUnharmed(scene, bystander)
    })

    it('is a piece above the bound: with 413 where there is a status, and the end where there is none', async () => {
      const [scene, client, bystander] = await openBoth(true)
      const status = await client.send(`{"type":6}${RECORD_END}`.repeat(20_000))
      if (name.startsWith('WebSockets')) await until(client.isEnded, 'the client has seen the end')
      else {
        expect(status).toBe(413)
        await client.send(call(1, 'X'))
        expect(await answers(client, 1)).toEqual([['1', 'X']])
      }
      await expectUnharmed(scene, bystander)
    })
  })
}

/** A call of a method that the hub doesn't have: its answer names it. */
function call(id: number, method: string): string {
  return `{"type":1,"invocationId":"${id}","target":"${method}","arguments":[]}${RECORD_END}`
}

/** Once so many calls are answered: their ids and methods, in the order of the answers. */
async function answers(client: TransportClient, count: number): Promise<[string | undefined, string | undefined][]> {
  const find = (): Said[] => client.said.filter(({ type }) => type === 3)
  await until(() => find().length >= count, `${count} calls are answered`, 15_000)
  return find().map(({ invocationId, error }) => [invocationId, /^Failed to invoke '(.*)' due/.exec(error ?? '')?.[1]])
}
