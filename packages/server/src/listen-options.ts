export interface ListenOptions {
  /** 0 (the default): one that is free. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
}

/** Where a channel's own server listens. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly url: string
}
