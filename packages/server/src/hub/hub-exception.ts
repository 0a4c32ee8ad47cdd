/**
 * An error whose text reaches the client, whatever `detailedErrors` says: a hub method throws it to tell the caller what
 * went wrong. Also what the reader of a client's stream gets where the client ended it with an error, and what
 * `invoke` rejects with where the client answered with an error. Source: SIGNALR 2.9, .NET's `HubException`.
 *
 * @example throw new HubException('The order is closed.')
 */
export class HubException extends Error {
  override readonly name: string = 'HubException'
}

/** Whatever was thrown, this doesn't throw: an object can refuse to be looked at. */
export function isHubException(error: unknown): error is HubException {
  try {
    return error instanceof HubException
  } catch {
    return false
  }
}
