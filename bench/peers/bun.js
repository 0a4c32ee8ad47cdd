// What Bun's documentation shows for messages to all: each WebSocket subscribes to a topic, each post goes to the topic.
const TOPIC = 'all'

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    if (request.method === 'POST') {
      server.publish(TOPIC, await request.text())
      return new Response('ok', { status: 201 })
    }
    return server.upgrade(request) ? undefined : new Response('WebSockets only', { status: 400 })
  },
  websocket: {
    open: (socket) => socket.subscribe(TOPIC),
    message() {},
  },
})
console.log(`port ${server.port}`)
process.stdin.on('end', () => process.exit()).resume()
