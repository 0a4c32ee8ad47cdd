// Runs one server under test in a process of its own: `node serve.js NAME`. Says its port and ends with its parent.
import type { Served } from './servers/post-endpoint.ts'

const servers = new Map<string, () => Promise<Served>>([
  ['serverchannel', async () => (await import('./servers/serverchannel.ts')).startServerChannel('handles')],
  ['serverchannel-native', async () => (await import('./servers/serverchannel.ts')).startServerChannel('auto')],
  ['ws-loop', async () => (await import('./servers/ws-loop.ts')).startWsLoop()],
  ['audiences', async () => (await import('./servers/audiences.ts')).startAudiences()],
  ['in-process', async () => (await import('./servers/in-process.ts')).startInProcess()],
  ['hub', async () => (await import('./servers/hub.ts')).startHub()],
  ['ws-echo', async () => (await import('./servers/ws-echo.ts')).startWsEcho()],
  ['socket-io', async () => (await import('./servers/socket-io.ts')).startSocketIo()],
])

const start = servers.get(process.argv[2] ?? '')
if (!start) throw new Error(`There is no server "${process.argv[2]}".`)
const { port } = await start()
process.stdout.write(`port ${port}\n`)
// Whatever happens to the benchmark, its end closes this stream.
process.stdin.on('end', () => process.exit()).resume()
