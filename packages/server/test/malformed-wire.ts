import { connect } from 'node:net'
import type { Random } from '../../protocol/test/random.ts'
import { range } from './channel-scene.ts'
import { clientFrame, UPGRADE_HEAD } from './served-channel.ts'

/** By then whatever is to be answered is; what is left is a stream that the input opened. */
const PATIENCE_MS = 1000
const ANSWER_MS = 25

/**
 * How a client leaves after its last byte: at once, with a reset, when something was answered, or when the server ends
 * the connection.
 */
export type Leaving = 'at once' | 'reset' | 'answered' | 'ended'

/** Sends the pieces on a connection of their own, and gives all that came, a character a byte, once that has ended. */
export function exchange(port: number, pieces: readonly Buffer[], leaving: Leaving): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay()
    let text = ''
    const leave = (): void => {
      if (!socket.destroyed) socket.end()
    }
    const timers = [setTimeout(() => socket.destroy(), PATIENCE_MS)]
    socket.on('data', (data: Buffer) => {
      text += data.toString('latin1')
      if (text.includes('text/event-stream')) socket.destroy()
      else if (leaving === 'answered') leave()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const timer of timers) clearTimeout(timer)
      resolve(text)
    })
    for (const piece of pieces.slice(0, -1)) socket.write(piece)
    socket.write(pieces.at(-1) ?? '', () => {
      if (leaving === 'at once') leave()
      else if (leaving === 'reset') socket.resetAndDestroy()
      else if (leaving === 'answered') timers.push(setTimeout(leave, ANSWER_MS))
    })
  })
}

export function upgradeTo(path: string): Buffer {
  return Buffer.from(`${UPGRADE_HEAD.replace('/msg', path)}\r\n`)
}

/** The data in one frame or several, of either kind. */
export function inFrames(data: Uint8Array, random: Random): Buffer[] {
  const opcode = random.chance(0.5) ? 1 : 2
  const at = random.chance(0.3) ? random.below(data.length + 1) : data.length
  const [first, rest] = [Buffer.from(data.subarray(0, at)), Buffer.from(data.subarray(at))]
  if (rest.length === 0) return [clientFrame(opcode, first)]
  // As two messages, or as one in two fragments.
  return random.chance(0.5)
    ? [clientFrame(opcode, first), clientFrame(opcode, rest)]
    : [clientFrame(opcode, first, false), clientFrame(0, rest)]
}

export function noise(random: Random, lengthMax = 300): Buffer {
  return Buffer.from(range(1, 1 + random.below(lengthMax)).map(() => random.below(256)))
}

/** A few bytes of it changed, cut out or put in. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  let mutated = Buffer.from(bytes)
  for (let changes = random.below(4); changes > 0; changes--) {
    const at = random.below(mutated.length + 1)
    const [before, after] = [mutated.subarray(0, at), mutated.subarray(Math.min(mutated.length, at + random.below(4)))]
    mutated = Buffer.concat([before, random.chance(0.5) ? noise(random, 4) : Buffer.alloc(0), after])
  }
  return mutated
}
