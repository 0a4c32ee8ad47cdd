import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { NatsProcess } from '../../../test/support/nats-process.ts'
import { freePort } from '../../../test/support/redis-process.ts'

const SETTLED_MS_MAX = 30_000

interface StreamCluster {
  readonly leader?: string
  readonly replicas?: readonly { readonly current: boolean }[]
}

/** Several nats-servers of a test's own that are one cluster with JetStream. */
export class NatsCluster {
  /** Named `n0`, `n1`, … in it. */
  readonly servers: readonly NatsProcess[]

  private constructor(servers: readonly NatsProcess[]) {
    this.servers = servers
  }

  static async start(count: number): Promise<NatsCluster> {
    const ports: number[] = []
    while (ports.length < count) ports.push(await freePort())
    const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')
    const starting = ports.map((port, index) =>
      NatsProcess.start(
        `server_name: n${index}\ncluster { name: test, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
      ),
    )
    return new NatsCluster(await Promise.all(starting))
  }

  get url(): string {
    return `nats://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  }

  /** Waits until the only stream has a leader, and all others have what it has. @returns the leader */
  async leader(): Promise<NatsProcess> {
    const end = performance.now() + SETTLED_MS_MAX
    for (;;) {
      const { leader, replicas = [] } = (await this.#ask()) ?? {}
      const server = this.servers[Number(leader?.slice(1))]
      if (server && replicas.length === this.servers.length - 1 && replicas.every(({ current }) => current)) {
        return server
      }
      if (performance.now() > end)
        throw new Error(`The cluster did not settle: ${JSON.stringify({ leader, replicas })}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()))
  }

  /** Undefined where it can't say for now. */
  async #ask(): Promise<StreamCluster | undefined> {
    const connection = await connect({ servers: this.servers.map(({ port }) => `127.0.0.1:${port}`), timeout: 2000 })
    try {
      const manager = await jetstreamManager(connection, { timeout: 2000 })
      const [stream] = await manager.streams.list().next()
      return stream?.cluster
    } catch {
      return undefined
    } finally {
      await connection.close()
    }
  }
}
