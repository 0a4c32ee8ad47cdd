import { connect, createServer } from 'node:net'

const START_MS_MAX = 15_000

/**
 * Two neighbouring ports that nobody uses, the first of which is given. Below the range that the kernel takes clients'
 * ports from, so that none of them is in the way.
 */
export async function freePortPair(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 20_000 + 2 * Math.floor(Math.random() * 6_000)
    if ((await isFree(port)) && (await isFree(port + 1))) return port
  }
  throw new Error('found no two free neighbouring ports')
}

export async function untilItListens(port: number): Promise<void> {
  for (const deadline = Date.now() + START_MS_MAX; Date.now() < deadline; ) {
    if (await accepts(port)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('does not listen')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
