/** A body that is JSON text as its value; any other as it is: a text that is no JSON is not lost. */
export function decodeBody(body: unknown): unknown {
  try {
    return typeof body === 'string' ? JSON.parse(body) : body
  } catch {
    return body
  }
}
