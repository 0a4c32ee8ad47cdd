/** An answer as far as it has come. */
export interface HttpAnswer {
  readonly statusLine: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Without the marks of chunks. */
  readonly body: Buffer
  readonly isWhole: boolean
}

/** Reads the bytes of one answer. @returns undefined where its head is not whole yet */
export function parseAnswer(bytes: Buffer): HttpAnswer | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const rest = bytes.subarray(headEnd + 4)
  if (headers.has('transfer-encoding')) return { statusLine, headers, ...readChunks(rest) }
  const length = Number(headers.get('content-length') ?? 0)
  return { statusLine, headers, body: rest.subarray(0, length), isWhole: rest.length >= length }
}

function readChunks(bytes: Buffer): Pick<HttpAnswer, 'body' | 'isWhole'> {
  const pieces: Buffer[] = []
  let used = 0
  for (;;) {
    const end = bytes.indexOf('\r\n', used)
    if (end === -1) return { body: Buffer.concat(pieces), isWhole: false }
    const length = Number.parseInt(bytes.toString('latin1', used, end), 16)
    if (length === 0) return { body: Buffer.concat(pieces), isWhole: true }
    pieces.push(bytes.subarray(end + 2, end + 2 + length))
    used = end + 2 + length + 2
  }
}
