import { createServerChannel } from '../dist/index.js'

// A server with workers in a process of its own, to be killed.
const channel = await createServerChannel({ workers: 2 })
await channel.listen()
process.send(channel.workerPids)
