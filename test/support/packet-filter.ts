import { execFileSync } from 'node:child_process'

/** Loses every packet from and to one port of the loopback, as a network does that is gone: nobody is told. */
export class PacketFilter {
  readonly #table: string
  readonly #port: number

  constructor(port: number) {
    this.#port = port
    // Nobody else's tables are touched.
    this.#table = `serverchannel_test_${process.pid}_${port}`
  }

  cut(): void {
    const rules = ['dport', 'sport'].map((end) => `tcp ${end} ${this.#port} drop`).join('\n')
    nft(`table inet ${this.#table} {
      chain lost {
        type filter hook input priority 0;
        ${rules}
      }
    }`)
  }

  /** Idempotent. */
  mend(): void {
    nft(`table inet ${this.#table} {}\ndelete table inet ${this.#table}`)
  }
}

/** @returns why it can't be used here; undefined where it can */
export function packetFilterMissing(): { readonly reason: string; readonly isForbidden: boolean } | undefined {
  const probe = `serverchannel_probe_${process.pid}`
  try {
    nft(`table inet ${probe} {}\ndelete table inet ${probe}`)
    return undefined
  } catch (error) {
    const isThere = !(error instanceof Error && 'code' in error && error.code === 'ENOENT')
    return {
      reason: isThere
        ? 'this user or system may not filter packets'
        : 'there is no nft: scripts/engines.sh installs it',
      isForbidden: isThere,
    }
  }
}

function nft(script: string): void {
  execFileSync('nft', ['-f', '-'], { input: script, stdio: ['pipe', 'ignore', 'ignore'] })
}
