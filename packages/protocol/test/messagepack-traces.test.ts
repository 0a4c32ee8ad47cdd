import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { describe, expect, it } from 'vitest'
import type { HubMessage } from '../src/index.ts'
import { messagePackCodec } from '../src/messagepack.ts'
import { bytesOf, hexOf } from './messagepack-bytes.ts'
import { READ_LIMITS } from './reading.ts'

/** What a .NET server and Microsoft's client said to each other, recorded; beside the repository, not in it. */
const FOLDER = fileURLToPath(new URL('../../../../shared/traces/', import.meta.url))
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /msgpack.*\.ndjson$/.test(name)) : []

interface Recorded {
  readonly dir: 'C>S' | 'S>C'
  readonly conn: number
  readonly bytes: Uint8Array
}

/** The pieces of data after the handshake, in their order. */
function piecesOf(file: string): Recorded[] {
  const lines = readFileSync(FOLDER + file, 'utf8')
    .trim()
    .split('\n')
  return lines.flatMap((line) => {
    const { dir, conn, ws, hex, http } = JSON.parse(line) as Record<string, string> & { dir: 'C>S'; conn: never }
    const digits = ws === 'binary' ? hex : http?.split('<hex>')[1]
    const isHandshake = digits === undefined || digits === '' || digits === '7b7d1e'
    return isHandshake ? [] : [{ dir, conn, bytes: bytesOf(digits) }]
  })
}

function read(pieces: readonly Recorded[]): HubMessage[] {
  const reader = messagePackCodec.createReader(READ_LIMITS)
  return pieces.flatMap(({ bytes }) => [...reader.read(bytes)])
}

function joined(pieces: readonly Uint8Array[]): string {
  return hexOf(Buffer.concat(pieces))
}

describe('recorded conversations with a .NET server', () => {
  if (files.length === 0) {
    it('are read and written to the byte', ({ skip }) => {
      console.log(`skipped: there are no recordings in ${FOLDER}`)
      skip('there are no recordings')
    })
    return
  }

  it.each(files)('%s: what the server said is written to the byte', (file) => {
    const pieces = piecesOf(file).filter(({ dir }) => dir === 'S>C')
    const messages = read(pieces)
    expect(messages.length).toBeGreaterThanOrEqual(pieces.length)
    expect(joined(messages.map((message) => messagePackCodec.encode(message)))).toBe(
      joined(pieces.map(({ bytes }) => bytes)),
    )
  })

  it.each(files)('%s: what the client said is understood', (file) => {
    const pieces = piecesOf(file).filter(({ dir }) => dir === 'C>S')
    const messages = read(pieces)
    expect(messages.length).toBeGreaterThan(0)
    // Written by the client's own encoder, what we read makes the bytes that came.
    const client = new MessagePackHubProtocol()
    const written = messages.map((message) => new Uint8Array(client.writeMessage(message as never)))
    expect(joined(written)).toBe(joined(pieces.map(({ bytes }) => bytes)))
  })

  it('hold messages of all types', () => {
    const types = files.flatMap((file) => read(piecesOf(file)).map(({ type }) => type))
    expect(new Set(types)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8, 9]))
  })
})
