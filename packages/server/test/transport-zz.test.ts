import { it } from 'vitest'
import { openServerSentEvents } from './transport-clients.ts'
import { openTransportScene } from './transport-scene.ts'

it('x', async () => {
  const scene = await openTransportScene({ limits: { closeTimeoutMs: 300, disconnectTimeoutMs: 1000 } })
  const client = await openServerSentEvents(scene.url)
  const connection = await scene.connected(1)
  client.stopReading()
  for (let n = 0; connection.bufferedBytes < 262_144 && n < 300; n++) await scene.post('x'.repeat(200_000))
  console.log('buffered', connection.bufferedBytes)
  const t = performance.now()
  const closed = scene.endpoint.close()
  console.log(connection.state, connection.bufferedBytes)
  await Promise.race([closed, new Promise((r) => setTimeout(r, 3000))])
  console.log(connection.state, performance.now() - t, connection.bufferedBytes)
  client.cut()
  await scene.close()
})
