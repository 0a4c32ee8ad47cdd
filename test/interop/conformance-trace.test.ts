import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { ConformanceServer } from '../support/conformance-process.ts'

/** What a real ASP.NET Core server and its client said to each other; see the README beside it. */
const folder = new URL('../../../shared/traces/', import.meta.url)
const isThere = existsSync(folder)

interface Event {
  readonly dir?: 'C>S' | 'S>C'
  readonly ws?: string
  readonly text?: string
  readonly hex?: string
  readonly step?: string
}

function readTrace(name: string): readonly Event[] {
  const lines = readFileSync(new URL(name, folder), 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Event)
}

const bytesOf = ({ text, hex }: Event): Buffer =>
  text === undefined ? Buffer.from(hex ?? '', 'hex') : Buffer.from(text)

/** Without pings, and without the microseconds in posted messages: as text, a character for each byte. */
const comparable = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replaceAll('{"type":6}\x1e', '')
    .replaceAll('\x02\x91\x06', '')
    .replaceAll(/"t":\d+/g, '"t":0')
    .replaceAll(/\xa1t\xcf.{8}/gs, '\xa1t0')

describe.skipIf(!isThere)('the conformance server says what .NET 9.0.5 said', () => {
  let server: ConformanceServer
  beforeAll(async () => {
    server = await ConformanceServer.start()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  /** Does what the trace's driver did besides its messages. */
  async function follow(step: string, connectionId: string): Promise<void> {
    if (step === 'server broadcast of an object: POST /post?n=2') {
      await fetch(new URL('/post?n=2', server.url), { method: 'POST', body: 'hello' })
    } else if (step === 'client result (server invokes Result)') {
      // It is answered when the trace's client has answered.
      void fetch(new URL(`/clientresult/${connectionId}`, server.url))
    }
  }

  // In this order, because the ids that the server gives to its own invocations count up.
  it.each(['net9.0.5-ws-json.ndjson', 'net9.0.5-ws-msgpack.ndjson'])('byte for byte in %s', async (name) => {
    const negotiated = await fetch(new URL('/msg/negotiate?negotiateVersion=1', server.url), { method: 'POST' })
    const { connectionId, connectionToken } = (await negotiated.json()) as Record<string, string>
    const socket = new WebSocket(new URL(`/msg?id=${connectionToken}`, server.url))
    onTestFinished(() => socket.terminate())
    let got = Buffer.alloc(0)
    let wake = (): void => {}
    socket.on('message', (data) => {
      got = Buffer.concat([got, data as Buffer])
      wake()
    })
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    await new Promise((resolve) => socket.once('open', resolve))
    let expected = Buffer.alloc(0)
    const caughtUp = async (): Promise<void> => {
      while (comparable(got).length < comparable(expected).length) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    for (const event of readTrace(name)) {
      if (event.step !== undefined) await follow(event.step, connectionId ?? '')
      else if (event.dir === 'S>C' && (event.ws === 'text' || event.ws === 'binary')) {
        expected = Buffer.concat([expected, bytesOf(event)])
        await caughtUp()
        // What .NET said in two goes may come in one.
        expect(comparable(got).slice(0, comparable(expected).length)).toBe(comparable(expected))
      } else if (event.dir === 'C>S' && event.ws === 'close') socket.close()
      else if (event.dir === 'C>S' && event.ws !== undefined) {
        socket.send(bytesOf(event), { binary: event.ws === 'binary' })
      }
    }
    expect(await closed).toBe(1000)
    expect(comparable(got)).toBe(comparable(expected))
  })
})
