import { fileURLToPath } from 'node:url'
import { type Crm, startCrm } from './crm.ts'

const PORT_DEFAULT = 8787

const crm = await start(readPort(process.env['PORT']))
console.log(`
  ServerChannel: orders, a process and two pages

  ${crm.url}

  Open it in two windows, as two users, and order 42 in both: start the approval in one and watch the other.
  A terminal can join. Every open page gets this message:

    npx serverchannel post SomeMessageId "My message value"${urlFlag(crm.url)}

  Ctrl+C ends it.
`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void crm.close().then(
      () => process.exit(0),
      (error: unknown) => fail(`It did not close cleanly: ${error instanceof Error ? error.message : String(error)}`),
    )
  })
}

async function start(port: number): Promise<Crm> {
  const database = process.env['DATABASE'] ?? fileURLToPath(new URL('../orders.db', import.meta.url))
  try {
    const processFile = process.env['PROCESS']
    return await startCrm({ port, database, ...(processFile ? { processFile } : {}) })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') {
      return fail(`Port ${port} is in use by another program. Choose another one: PORT=${port + 1} npm start`)
    }
    if (code === 'EACCES') return fail(`This user may not use port ${port}. Choose one above 1023: PORT=8787 npm start`)
    throw error
  }
}

function readPort(text = String(PORT_DEFAULT)): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  return fail(`PORT needs to be a number from 0 to 65535; it is '${text}'.`)
}

/** The command's default is this example's default port. */
function urlFlag(url: string): string {
  return url.endsWith(`:${PORT_DEFAULT}`) ? '' : ` --url ${url}`
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
