import { isJsonTooDeep } from './json-depth.ts'
import { ProtocolError } from './protocol-error.ts'
import { RECORD_SEPARATOR } from './text-framing.ts'

const HANDSHAKE_DEPTH_MAX = 8

/** What a client opens a hub connection with. Always JSON, whatever follows. Source: SIGNALR 2.7. */
export interface HandshakeRequest {
  /** The codec's name, as the client writes it. */
  readonly protocol: string
  readonly version: number
}

/** The answer: empty, or with the reason why there is no connection. */
export interface HandshakeResponse {
  readonly error?: string
}

export function encodeHandshakeRequest(request: HandshakeRequest): string {
  return `{"protocol":${JSON.stringify(request.protocol)},"version":${request.version}}${RECORD_SEPARATOR}`
}

export function encodeHandshakeResponse(response: HandshakeResponse): string {
  return JSON.stringify(response) + RECORD_SEPARATOR
}

/** The handshake message and what follows it, or undefined while it is not whole. */
export function splitHandshake(text: string): { readonly record: string; readonly rest: string } | undefined {
  const end = text.indexOf(RECORD_SEPARATOR)
  return end === -1 ? undefined : { record: text.slice(0, end), rest: text.slice(end + 1) }
}

/** @throws ProtocolError where it is not a handshake request; properties beyond the two are passed over. */
export function parseHandshakeRequest(record: string): HandshakeRequest {
  const { protocol, version, type } = parseObject(record)
  if (type !== undefined) throw malformed("Expected a handshake message, got a hub message of 'type'.")
  if (typeof protocol !== 'string') throw malformed("Missing required property 'protocol'. Expected a string.")
  if (typeof version !== 'number' || !Number.isInteger(version)) {
    throw malformed("Missing required property 'version'. Expected an integer.")
  }
  return { protocol, version }
}

/** @throws ProtocolError where it is not a handshake response. */
export function parseHandshakeResponse(record: string): HandshakeResponse {
  const { error, type } = parseObject(record)
  if (type !== undefined) throw malformed('Expected a handshake response from the server.')
  return typeof error === 'string' ? { error } : {}
}

function parseObject(record: string): Record<string, unknown> {
  if (isJsonTooDeep(record, HANDSHAKE_DEPTH_MAX)) throw new ProtocolError('too-deep', 'The handshake nests too deep.')
  let value: unknown
  try {
    value = JSON.parse(record)
  } catch (cause) {
    throw malformed('The handshake is not JSON.', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('The handshake is not a JSON object.')
  }
  return value as Record<string, unknown>
}

function malformed(message: string, cause?: unknown): ProtocolError {
  return new ProtocolError('malformed', message, { cause })
}
