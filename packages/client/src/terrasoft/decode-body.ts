/** A body that is JSON text as its value; any other as it is: a text that is no JSON is not lost. */
export function decodeBody(body: unknown): unknown {
  return readBody(body).value
}

/** @returns `isText`: the body is a text that is no JSON. */
export function readBody(body: unknown): { readonly value: unknown; readonly isText: boolean } {
  if (typeof body !== 'string') return { value: body, isText: false }
  try {
    return { value: JSON.parse(body), isText: false }
  } catch {
    return { value: body, isText: true }
  }
}
