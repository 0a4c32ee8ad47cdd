import { Agent, request } from 'node:http'
import { BODY_BYTES } from './contender.ts'

export const LINES_PER_REQUEST = 1000
export const REQUESTS_OUTSTANDING = 4

const LINE = `${JSON.stringify({ sender: 'Bench', body: 'x'.repeat(BODY_BYTES), to: { all: true } })}\n`
const LINES = Buffer.from(LINE.repeat(LINES_PER_REQUEST))

/** Posts messages as NDJSON by HTTP, several requests at a time. @returns messages a second that were acknowledged */
export async function postLines(url: string, seconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS_OUTSTANDING })
  const start = performance.now()
  const end = start + seconds * 1000
  let posted = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await postOnce(`${url}/api/messages`, agent)
      posted += LINES_PER_REQUEST
    }
  }
  try {
    await Promise.all(Array.from({ length: REQUESTS_OUTSTANDING }, lane))
    return (posted / (performance.now() - start)) * 1000
  } finally {
    agent.destroy()
  }
}

function postOnce(url: string, agent: Agent): Promise<void> {
  const headers = { 'Content-Type': 'application/x-ndjson', 'Content-Length': LINES.length }
  return new Promise((resolve, reject) => {
    const posting = request(url, { method: 'POST', agent, headers }, (answer) => {
      answer.resume().once('error', reject)
      answer.once('end', () => {
        if (answer.statusCode === 201 || answer.statusCode === 200) resolve()
        else reject(new Error(`Lines were answered with ${answer.statusCode}.`))
      })
    })
    posting.once('error', reject).end(LINES)
  })
}
