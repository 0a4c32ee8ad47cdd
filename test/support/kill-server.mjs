// A server of the kill tests: it loads everything first, so that after a kill the next one is there in no time.
import { createServerChannel } from 'serverchannel'

process.on('disconnect', () => process.exit())
process.once('message', (message) => void serve(message))
process.send({ isLoaded: true })

async function serve({ options, port }) {
  try {
    const channel = await createServerChannel({ development: true, ...options })
    const { url } = await channel.listen({ port })
    process.send({ url })
  } catch (error) {
    process.send({ error: `${error.message} ${error.cause ?? ''}` })
  }
}
