import { createServer } from 'node:http'
import { MessageType } from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { describe, type TestContext, test } from 'vitest'
import type { WebSocket } from 'ws'
import { jsonCalls, messagePackCalls } from '../bench/src/call-forms.ts'
import { channelClient, messagePackClient } from '../bench/src/contender.ts'
import { type DriverReport, problemOf } from '../bench/src/driver.ts'
import { invocationsTable } from '../bench/src/invocations-table.ts'
import { startHub } from '../bench/src/servers/hub.ts'
import { type Served } from '../bench/src/servers/post-endpoint.ts'
import { startSocketIo } from '../bench/src/servers/socket-io.ts'
import { createWebSockets, serveWebSockets } from '../bench/src/servers/web-sockets.ts'
import { startWsEcho } from '../bench/src/servers/ws-echo.ts'
import { CONNECTIONS, counts, countsOf, drive, missing } from './bench-scene.ts'

const FAULTY_CALL = 3

interface Call {
  readonly id: string
  readonly text: string
}

/** Answers the call with this number, counted from 1, of the first client. */
type AnswerFirst = (client: WebSocket, call: Call, number: number) => void

const servers = new Map<string, () => Promise<Served>>([
  ['hub-json', startHub],
  ['hub-messagepack', startHub],
  ['socket-io-ack', startSocketIo],
  ['ws-echo', startWsEcho],
])

// Each test mostly waits for what does not come.
describe.skipIf(missing !== undefined).concurrent('the load driver that calls', () => {
  test.for(invocationsTable.contenders)('gets every answer of $name', async ({ name, driverOptions }, context) => {
    const start = servers.get(name)
    if (!start) throw new Error(`There is no server for ${name}.`)
    const server = await start()
    context.onTestFinished(() => server.close())
    const process = { pid: 0, port: server.port, postPort: server.port, stop: () => Promise.resolve() }
    const report = await drive(server, {
      ...driverOptions(process, CONNECTIONS),
      phase: ['calls:7:1', 'calls:40:16', 'idle:0.05'],
    })

    context.expect(problemOf(report)).toBeUndefined()
    context.expect(report.phases.map(countsOf)).toEqual([7, 40, 0].map((calls) => counts(calls)))
    context.expect(report.phases[0]?.latencyP50Ms).toBeGreaterThan(0)
  })

  test('finds a call that is not answered', async (context) => {
    const report = await call(context, (client, { id, text }, number) => {
      if (number !== FAULTY_CALL) client.send(completion(id, text))
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { lost: 1, deliveries: 5 * CONNECTIONS - 1 })])
    context.expect(problemOf(report)).toBe('1 of 100 deliveries did not come (calls:5:2)')
  })

  test('finds a call that is answered twice', async (context) => {
    const report = await call(context, (client, { id, text }, number) => {
      client.send(completion(id, text))
      if (number === FAULTY_CALL) client.send(completion(id, text))
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { doubled: 1 })])
  })

  test('sees answers in another order than the calls', async (context) => {
    let held = ''
    const report = await call(context, (client, { id, text }, number) => {
      if (number === FAULTY_CALL) held = completion(id, text)
      else client.send(completion(id, text))
      if (number === FAULTY_CALL + 1) client.send(held)
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { outOfOrder: 1 })])
  })

  test.for<[string, (call: Call) => string]>([
    ['the id of another call', ({ id, text }) => completion(String(Number(id) + 1), text)],
    ['an id that was cut', ({ id, text }) => completion(id.slice(1), text)],
    ['another text', ({ id, text }) => completion(id, text.replace(/.$/, '!'))],
    ['the time of another call', ({ id, text }) => completion(id, text.replace(/(?<=^~#.{8})./, '7'))],
    ['the text of another client', ({ id, text }) => completion(id, text.replace(/(?<=^~#.{24}).{8}/, '00000013'))],
    ['an error', ({ id }) => `{"type":3,"invocationId":"${id}","error":"no"}\x1e`],
    ['nothing', ({ id }) => `{"type":3,"invocationId":"${id}","result":null}\x1e`],
  ])('finds an answer with %s', async ([, answer], context) => {
    const report = await call(context, (client, made, number) => {
      client.send(number === FAULTY_CALL ? answer(made) : completion(made.id, made.text))
    })

    const [phase] = report.phases
    context.expect(phase?.wrong).toBe(1)
    context.expect(phase?.lost).toBe(1)
    context.expect(problemOf(report)).toBe('1 answers do not fit their calls')
  })

  test('reads answers between pings, many in a frame and in frames of pieces', async (context) => {
    let held = ''
    const report = await call(context, (client, { id, text }, number) => {
      held += `{"type":6}\x1e${completion(id, text)}`
      if (number % 2 === 1 && number < 5) return
      client.send(held.slice(0, number * 10), { fin: false })
      client.send(held.slice(number * 10, -number))
      client.send(held.slice(-number))
      held = ''
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5)])
  })

  test('reads MessagePack as the stock codec writes it', async (context) => {
    const protocol = new MessagePackHubProtocol()
    const encode = ({ id, text }: Call): Uint8Array =>
      new Uint8Array(
        protocol.writeMessage({ type: MessageType.Completion, invocationId: id, result: text, headers: {} }),
      )
    const ping = new Uint8Array(protocol.writeMessage({ type: MessageType.Ping }))
    const webSockets = createWebSockets((client) => {
      client.once('message', () => {
        client.send(Buffer.from('{}\x1e'))
        client.on('message', (data: Buffer) => {
          const [message] = protocol.parseMessages(
            data.buffer.slice(data.byteOffset, data.byteOffset + data.length) as ArrayBuffer,
            { log() {} },
          )
          if (message?.type !== MessageType.Invocation) return
          const answer = encode({ id: message.invocationId ?? '', text: String(message.arguments[0]) })
          client.send(Buffer.concat([ping, answer]))
        })
      })
    })
    const server = await serveWebSockets(createServer(), webSockets)
    context.onTestFinished(() => server.close())
    const report = await drive(server, {
      ...channelClient,
      ...messagePackClient,
      ...messagePackCalls,
      phase: ['calls:5:2'],
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5)])
  })
})

/** Five calls of each client, two of them at a time. */
async function call({ onTestFinished }: TestContext, answerFirst: AnswerFirst): Promise<DriverReport> {
  let first: WebSocket | undefined
  let number = 0
  const webSockets = createWebSockets((client) => {
    first ??= client
    client.once('message', () => {
      client.send('{}\x1e')
      client.on('message', (data: Buffer) => {
        const made = readCall(data.toString())
        if (!made) return
        if (client !== first) client.send(completion(made.id, made.text))
        else answerFirst(client, made, ++number)
      })
    })
  })
  const server = await serveWebSockets(createServer(), webSockets)
  onTestFinished(() => server.close())
  return await drive(server, { ...channelClient, ...jsonCalls, phase: ['calls:5:2'] })
}

/** Undefined for a ping. */
function readCall(message: string): Call | undefined {
  const { invocationId, arguments: args } = JSON.parse(message.slice(0, -1)) as {
    invocationId?: string
    arguments?: readonly string[]
  }
  return invocationId === undefined || args?.[0] === undefined ? undefined : { id: invocationId, text: args[0] }
}

function completion(id: string, text: string): string {
  return `{"type":3,"invocationId":"${id}","result":"${text}"}\x1e`
}
