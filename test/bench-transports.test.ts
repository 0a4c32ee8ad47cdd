import { describe, type TestContext, test } from 'vitest'
import { type DriverReport, problemOf } from '../bench/src/driver.ts'
import { type SendToFirst, startFaultyServer, type Wire, wires } from './bench-faulty-server.ts'
import { CONNECTIONS, channelOptions, counts, countsOf, drive, missing } from './bench-scene.ts'

const FAULTY_MESSAGE = 3

// Each test mostly waits for what does not come.
describe.skipIf(missing !== undefined).concurrent.each(wires)('the load driver over $name', (wire) => {
  test('finds a message that one connection does not get', async (context) => {
    const report = await burst(context, wire, 5, (client, message, number) => {
      if (number !== FAULTY_MESSAGE) client.send(message)
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { lost: 1, deliveries: 5 * CONNECTIONS - 1 })])
    context.expect(problemOf(report)).toContain('1 of 100 deliveries did not come')
  })

  test('finds a message that one connection gets twice', async (context) => {
    const report = await burst(context, wire, 5, (client, message, number) => {
      client.send(message)
      if (number === FAULTY_MESSAGE) client.send(message)
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { doubled: 1 })])
  })

  test('finds two messages that one connection gets in the wrong order', async (context) => {
    let held: Buffer = Buffer.of()
    const report = await burst(context, wire, 5, (client, message, number) => {
      if (number === FAULTY_MESSAGE) held = message
      else client.send(message)
      if (number === FAULTY_MESSAGE + 1) client.send(held)
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { outOfOrder: 1 })])
  })

  test('finds a message that nobody has posted', async (context) => {
    const report = await burst(context, wire, 5, (client, message, number) => {
      client.send(message)
      if (number !== FAULTY_MESSAGE) return
      const other = Buffer.from(message)
      other.write('~#0000ffff', message.indexOf('~#'))
      client.send(other)
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { unknown: 1 })])
  })

  test('reads messages that come in pieces, cut anywhere', async (context) => {
    const report = await burst(context, wire, 30, (client, message, number) => {
      const cut = message.indexOf('~#') + number
      client.send(message.subarray(0, cut), message.subarray(cut))
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(30)])
  })

  test('says that the server has closed a connection, and how', async (context) => {
    const report = await burst(context, wire, 5, (client, message, number) => {
      if (number === FAULTY_MESSAGE) client.close()
      else if (number < FAULTY_MESSAGE) client.send(message)
    })

    context.expect(problemOf(report)).toBe(`1 of 20 connections ended (${wire.closed})`)
    context.expect(report.phases[0]?.lost).toBe(3)
  })
})

describe.skipIf(missing !== undefined).concurrent('the load driver reads an event stream as a page does', () => {
  const wire = wires.find(({ options }) => options.transport === 'server-sent-events')
  if (!wire) throw new Error('There is no such wire.')

  test('and takes nothing that stands in a comment', async (context) => {
    const report = await burst(context, wire, 5, (client, message, number) => {
      client.send(...(number === FAULTY_MESSAGE ? [Buffer.from('\r\n:')] : []), message)
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5, { lost: 1, deliveries: 5 * CONNECTIONS - 1 })])
  })

  test('and joins the lines of an event', async (context) => {
    const report = await burst(context, wire, 5, (client, message) => {
      client.send(Buffer.from('one\r\ndata:two\r\ndata: '), message, Buffer.from('\r\nid: 7'))
    })

    context.expect(report.phases.map(countsOf)).toEqual([counts(5)])
  })
})

async function burst(
  { onTestFinished }: TestContext,
  wire: Wire,
  messages: number,
  sendToFirst: SendToFirst,
): Promise<DriverReport> {
  const server = await startFaultyServer(wire, sendToFirst)
  onTestFinished(() => server.close())
  return await drive(server, { ...channelOptions(server), ...wire.options, phase: [`burst:${messages}:5`] })
}
