import { execFileSync, spawnSync } from 'node:child_process'

/** What is lost of a connection: what is said to the server, what it says, or all. */
export type LostPackets = 'to' | 'from' | 'both'

/** Why packets can't be dropped here; undefined: they can. */
export const packetFilterMissing: string | undefined = findMissing()

function findMissing(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'packets are dropped as root on Linux only'
  const table = `serverchannel_probe_${process.pid}`
  const { error, status, stderr } = spawnSync('nft', ['-f', '-'], {
    encoding: 'utf8',
    input: `add table inet ${table}\ndelete table inet ${table}\n`,
  })
  if (error) return 'nft is not installed (apt-get install nftables)'
  return status === 0 ? undefined : `nft may not make a table: ${stderr.trim()}`
}

/**
 * Drops packets to and from one port of a test's own, without a word to either end. All of it is in a table of its own, which
 * goes with `close`.
 */
export class PacketFilter {
  readonly #port: number
  readonly #table: string

  constructor(port: number) {
    this.#port = port
    this.#table = `serverchannel_test_${port}`
    this.#run(
      `add table inet ${this.#table}\n` +
        `add chain inet ${this.#table} output { type filter hook output priority 0; policy accept; }`,
    )
  }

  /** Drops, from now on, packets of connections to the port at the address of this machine. */
  cut(address: string, lost: LostPackets): void {
    const rules: string[] = []
    if (lost !== 'from') rules.push(`ip daddr ${address} tcp dport ${this.#port} counter drop`)
    if (lost !== 'to') rules.push(`ip saddr ${address} tcp sport ${this.#port} counter drop`)
    this.#run(rules.map((rule) => `add rule inet ${this.#table} output ${rule}`).join('\n'))
  }

  /** Lets all pass again. @returns how many packets were dropped */
  heal(): number {
    const listed = execFileSync('nft', ['list', 'table', 'inet', this.#table], { encoding: 'utf8' })
    this.#run(`flush table inet ${this.#table}`)
    const counts = [...listed.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** Idempotent. */
  close(): void {
    this.#run(`add table inet ${this.#table}\ndelete table inet ${this.#table}`)
  }

  #run(commands: string): void {
    execFileSync('nft', ['-f', '-'], { input: `${commands}\n`, stdio: ['pipe', 'ignore', 'inherit'] })
  }
}
