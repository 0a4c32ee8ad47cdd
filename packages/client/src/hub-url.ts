/**
 * The http url of a hub: relative to the page where there is one, `http` for `ws`, with the query it has.
 *
 * @throws TypeError where it is not such a url.
 */
export function resolveHubUrl(url: string): URL {
  const page = typeof location === 'object' ? location.href : undefined
  let hub: URL | undefined
  try {
    hub = new URL(url.replace(/^ws(s?:)/, 'http$1'), page)
  } catch {
    // Said below.
  }
  if (!hub?.protocol.startsWith('http')) {
    throw new TypeError(`'${url}' is not a url of http or ws.`)
  }
  // The WebSocket constructor refuses a url with a fragment.
  hub.hash = ''
  return hub
}

/** The url of a hub in development mode, where a caller may name its user. */
export function withUser(url: string, user: string | undefined): string {
  if (user === undefined) return url
  return `${url}${url.includes('?') ? '&' : '?'}user=${encodeURIComponent(user)}`
}
