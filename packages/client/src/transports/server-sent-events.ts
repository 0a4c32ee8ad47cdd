import { openRequests } from './requests.ts'
import type { TransportKind } from './transport.ts'

/** What comes from the server is one endless response. Source: SIGNALR 2.5. */
export const serverSentEvents: TransportKind = {
  name: 'server-sent-events',
  isTextOnly: true,
  open: (attempt, listener) =>
    openRequests(attempt, listener, 'ServerSentEvents', false, async (ask) => {
      const { body } = await ask({ headers: { Accept: 'text/event-stream' } })
      if (!body) throw new Error('there is no stream')
      listener.onOpen()
      const reader = body.pipeThrough(new TextDecoderStream()).getReader()
      let partial = ''
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        const lines = (partial + read.value).split('\n')
        partial = lines.pop() ?? ''
        // What is in the lines ends with the protocol's own separators, so that it is of no matter where events end.
        const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6).replace(/\r$/, ''))
        if (data.length > 0) listener.onData(data.join(''))
      }
    }),
}
