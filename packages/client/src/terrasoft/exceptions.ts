/** A required argument is missing or empty. Source: PARITY 2.3. */
export class NullOrEmptyException extends Error {
  override readonly name = 'NullOrEmptyException'
}

/** A message that was not declared, or not for this direction. Source: PARITY 2.4. */
export class UnsupportedTypeException extends Error {
  override readonly name = 'UnsupportedTypeException'
}

/** A hook that a bridge is to define has been called. Source: PARITY 2.3, "abstract in base". */
export class NotImplementedException extends Error {
  override readonly name = 'NotImplementedException'
}
