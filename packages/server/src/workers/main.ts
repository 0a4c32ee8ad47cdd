import { Socket } from 'node:net'
import { systemClock } from '../system-clock.ts'
import { Link } from './link.ts'
import type { HandedSocket, ToServer, ToWorker } from './messages.ts'
import { RelayStore } from './relay-store.ts'
import { WorkerConnections } from './worker-connections.ts'

/** Where `WorkerProcess` puts the pipe. */
const LINK_FD = 4
const BEAT_MS = 1000

/** Runs this process as a worker of the one that forked it, and ends with that. */
function main(): void {
  let connections: WorkerConnections | undefined
  const leave = (): never => process.exit(0)
  const link: Link<ToServer, ToWorker> = new Link(new Socket({ fd: LINK_FD, readable: true, writable: true }), {
    onMessage: (message) => take(message),
    onDrain: () => connections?.onDrain(),
    onClose: leave,
  })
  const store = new RelayStore(link)

  async function start({ limits, directWrites }: Extract<ToWorker, { readonly kind: 'start' }>): Promise<void> {
    connections = new WorkerConnections({ store, link, limits, directWrites, clock: systemClock })
    await connections.open()
    systemClock.every(BEAT_MS, () => link.send({ kind: 'alive' }))
    link.send({ kind: 'ready' })
  }

  function take(message: ToWorker): void {
    if ('connection' in message) connections?.onMessage(message)
    else if (message.kind === 'start') void start(message)
    else if (message.kind === 'exit') leave()
    else store.onMessage(message)
  }

  process.on('message', (handed: HandedSocket, socket?: Socket) => connections?.take(handed, socket))
  process.on('disconnect', leave)
  // A terminal and systemd send these to all processes: the server's ends the workers when their clients are gone.
  process.on('SIGINT', () => {}).on('SIGTERM', () => {})
}

main()
