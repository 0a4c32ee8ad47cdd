import { readFileSync, writeFileSync } from 'node:fs'
import type { CodecName } from './oracle.ts'

/**
 * The inputs that together reach all that was ever reached, each as small as it can be. One a line: JSON's as a JSON
 * string, MessagePack's in hexadecimal digits.
 */
export function readCorpus(folder: string, name: CodecName): Uint8Array[] {
  const lines = readFileSync(pathOf(folder, name), 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => parse(name, line))
}

/** Shortest first, so that little of it changes when some inputs do. */
export function writeCorpus(folder: string, name: CodecName, inputs: readonly Uint8Array[]): void {
  const lines = inputs.map((input) => format(name, input))
  const sorted = [...new Set(lines)].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  writeFileSync(pathOf(folder, name), sorted.map((line) => `${line}\n`).join(''))
}

function pathOf(folder: string, name: CodecName): string {
  return `${folder}/${name}.txt`
}

function parse(name: CodecName, line: string): Uint8Array {
  return new Uint8Array(name === 'json' ? Buffer.from(JSON.parse(line) as string) : Buffer.from(line, 'hex'))
}

/** Bytes that are not UTF-8 are read as U+FFFD by the reader itself, so nothing is lost where they are written so. */
function format(name: CodecName, input: Uint8Array): string {
  const bytes = Buffer.from(input)
  return name === 'json' ? JSON.stringify(bytes.toString()) : bytes.toString('hex')
}
