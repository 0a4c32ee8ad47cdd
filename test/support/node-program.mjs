// One of several nodes, as a process of its own: it listens first, so that all of them can be told each other's address.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { createServerChannel, defineHub, upload } from 'serverchannel'

const hub = defineHub({
  methods: {
    Echo: (_, value) => value,
    Node: () => name,
    Transport: ({ request }) => request.transport,
    Address: ({ request }) => request.remoteAddress,
    Id: ({ connectionId }) => connectionId,
    User: ({ user }) => user ?? null,
    Send({ caller }, count, text) {
      for (let number = 0; number < count; number++) caller.send('message', number, text)
    },
    async *Count(_, count) {
      for (let number = 0; number < count; number++) yield number
    },
    Concat: {
      parameters: [upload()],
      async run(_, stream) {
        let text = ''
        for await (const item of /** @type {AsyncIterable<string>} */ (stream)) text += item
        return text
      },
    },
    Flood({ caller }, count, bytes) {
      const text = 'x'.repeat(bytes)
      for (let number = 0; number < count; number++) caller.send('message', number, text)
    },
    async AskBack({ clients, connectionId }) {
      return await clients.client(connectionId).invoke('Result')
    },
  },
})

const answerNotFound = (_, response) => response.writeHead(404).end()
const tlsFolder = process.env.NODE_TLS_FOLDER
const server = tlsFolder
  ? createHttpsServer({
      key: readFileSync(join(tlsFolder, 'key.pem')),
      cert: readFileSync(join(tlsFolder, 'cert.pem')),
    })
  : createServer()
server.on('request', answerNotFound)
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
let name
let channel

process.on('message', (message) => void answer(message))
process.on('disconnect', () => process.exit())

async function answer(message) {
  if (message.urls) {
    name = message.self
    const { self, secret, urls, options } = message
    channel = await createServerChannel({ path: '/msg', development: true, nodes: { self, secret, urls }, ...options })
    channel.mapHub('/testhub', hub, { limits: { parallelInvocationsMax: 10 } })
    channel.mapHub('/otherhub', hub)
    channel.attach(server)
    process.send({ isReady: true })
  } else if (message.post) {
    for (const [sender, body] of message.post) await channel.postMessageToAll(sender, body)
    process.send({ isPosted: true })
  } else if (message.asksState) {
    // What a turn of the loop still holds is freed with the next.
    for (let turn = 0; turn < 3; turn++) {
      global.gc()
      await new Promise(setImmediate)
    }
    const { rss, external, heapUsed, arrayBuffers } = process.memoryUsage()
    process.send({ connectionCount: channel.connectionCount, rss, external, heapUsed, arrayBuffers })
  } else if (message.close) {
    await channel.close()
    server.close()
    server.closeAllConnections()
    process.disconnect()
  }
}
