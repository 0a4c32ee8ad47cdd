import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ServerChannelOptions } from '../src/options.ts'
import { openClient, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

const RESERVED = ['ConsoleCommand', 'CommandService', 'BroadcastMsg', 'PTPMsg', 'ServerMsg']

async function serveLogged(options: ServerChannelOptions = {}) {
  const lines: { sender?: string; level: number; msg: string }[] = []
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  return { ...(await serveChannel({ development: true, logger, ...options })), lines }
}

describe('a post under a reserved sender', () => {
  it('is delivered, and warned of once per sender', async () => {
    const { channel, url, port, lines } = await serveLogged()
    const { bodies } = await openClient(port)
    for (const round of [1, 2]) {
      for (const sender of [...RESERVED, 'OrderChanged', 'ptpmsg', 'constructor']) {
        await channel.postMessageToAll(sender, `${sender} ${round}`)
      }
    }
    const posted = await fetch(`${url}/api/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"sender":"PTPMsg","body":"over HTTP"}',
    })
    expect(posted.status).toBe(201)
    await until(() => bodies().length === 17, 'all have come')
    expect(lines.map(({ sender }) => sender)).toEqual(RESERVED)
    expect(lines.every(({ level, msg }) => level === 40 && msg.includes("Creatio's clients"))).toBe(true)
  })

  it('is warned of also where it comes over HTTP first', async () => {
    const { url, lines } = await serveLogged()
    const body = '{"sender":"ServerMsg","body":1}\n{"sender":"ServerMsg","body":2}\n'
    const headers = { 'Content-Type': 'application/x-ndjson' }
    expect((await fetch(`${url}/api/messages`, { method: 'POST', headers, body })).status).toBe(201)
    expect(lines.map(({ sender }) => sender)).toEqual(['ServerMsg'])
  })

  it('is not warned of where a client may send it', async () => {
    const { hubUrl, lines, port } = await serveLogged({ clientMessagePolicy: () => 'all' })
    const { bodies } = await openClient(port)
    const connection = new HubConnectionBuilder().withUrl(hubUrl).configureLogging(LogLevel.None).build()
    onTestFinished(() => connection.stop())
    await connection.start()
    await connection.invoke('SendMessage', { Header: { Sender: 'BroadcastMsg' }, Body: 1 })
    await until(() => bodies().length === 1, 'it has come')
    expect(lines).toEqual([])
  })
})
