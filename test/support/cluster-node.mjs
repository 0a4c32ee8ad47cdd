// One of several nodes on one log, as a process of its own. The log is at `NODE_STORE`, or in the process of the test, at `LOG_PORT`.
import { connect } from 'node:net'
import { createServerChannel } from 'serverchannel'
import { Link } from '../../packages/server/dist/workers/link.js'
import { RelayStore } from '../../packages/server/dist/workers/relay-store.js'

const { LOG_PORT, NODE_NAME, NODE_PORT, NODE_SECRET, NODE_STORE, NODE_WORKERS } = process.env

async function openRelay() {
  const socket = connect(Number(LOG_PORT), '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  const store = new RelayStore(
    new Link(socket, { onMessage: (notice) => store.onMessage(notice), onClose: () => store.lost() }),
  )
  return store
}

const channel = await createServerChannel({
  store: NODE_STORE ?? (await openRelay()),
  development: true,
  workers: Number(NODE_WORKERS),
  drainMs: 100,
  nodes: { self: NODE_NAME, secret: NODE_SECRET, url: `http://127.0.0.1:${NODE_PORT}` },
})
await channel.listen({ port: Number(NODE_PORT) })
process.on('SIGTERM', () => void channel.close().then(() => process.exit(0)))
process.on('disconnect', () => process.exit())
process.send({ nodeCount: channel.nodeCount })
process.on('message', () => process.send({ nodeCount: channel.nodeCount, connectionCount: channel.connectionCount }))
