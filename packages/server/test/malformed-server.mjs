// A server in a process of its own, for inputs that might end it, hold it up or fill it. It says how it is when asked.
// Plain JavaScript, because it is started without a compiler; its parts are the built ones that users get.
import { createServerChannel, defineHub, unchecked, upload } from 'serverchannel'

const TICK_MS = 5

// Bounds that let go soon, so that what stays is what should not.
const server = await createServerChannel({
  development: true,
  authenticate: () => ({}),
  historyCountMax: 100,
  tailCountMax: 100,
  // A bystander that polls must get its next poll here within it, however busy the machine.
  disconnectTimeoutMs: 3000,
  pollTimeoutMs: 2000,
  closeTimeoutMs: 200,
})
server.mapHub(
  '/hub',
  defineHub({
    methods: {
      Echo: (_, value) => value,
      VoidMethod: () => {},
      async *Stream() {
        yield* ['a', 'b', 'c']
      },
      Concat: {
        parameters: [upload(unchecked)],
        async run(_, /** @type {AsyncIterable<unknown>} */ stream) {
          let count = 0
          try {
            for await (const item of stream) count += String(item).length
          } catch {
            // The client went away, or its stream failed.
          }
          return count
        },
      },
    },
  }),
)
const { port } = await server.listen()

let stallMs = 0
let last = performance.now()
let lastUsage = process.cpuUsage()

/** How long nothing else had its turn: no longer than the process really worked, as others use the machine too. */
function tick() {
  const now = performance.now()
  const usage = process.cpuUsage()
  const workedMs = (usage.user + usage.system - lastUsage.user - lastUsage.system) / 1000
  stallMs = Math.max(stallMs, Math.min(now - last - TICK_MS, workedMs))
  last = now
  lastUsage = usage
}

function takeStallMs() {
  tick()
  const taken = stallMs
  stallMs = 0
  return taken
}

function heldBytes() {
  // What the first collection finds unused is given back by the second.
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  // The collection itself is no stall of an input's making.
  last = performance.now()
  lastUsage = process.cpuUsage()
  return heapUsed + arrayBuffers
}

const answers = {
  post: ({ body }) => server.postMessageToAll('Bystander', body),
  stall: takeStallMs,
  held: heldBytes,
  connections: () => server.connectionCount,
}

setInterval(tick, TICK_MS)
process.on('disconnect', () => process.exit())
process.on('message', ({ id, ask, ...rest }) => {
  void Promise.resolve(answers[ask](rest)).then((answer) => process.send({ id, answer }))
})
process.send({ port })
