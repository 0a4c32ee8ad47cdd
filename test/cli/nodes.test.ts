import { afterEach, describe, expect, it } from 'vitest'
import { type CliProcess, run, serve } from '../support/cli-process.ts'

const SECRET = 'a-secret-of-thirty-two-characters-or-more'
const running: CliProcess[] = []

afterEach(async () => {
  for (const process of running.splice(0)) await process[Symbol.asyncDispose]()
})

async function start(name: string, urls: string): Promise<string> {
  const { process, url } = await serve(['--node-name', name, '--node-urls', urls], {
    SERVERCHANNEL_NODE_SECRET: SECRET,
  })
  running.push(process)
  return url
}

describe('serverchannel serve, one of several nodes', () => {
  it('passes on what the other one negotiated', async () => {
    const a = await start('a', 'a=http://127.0.0.1:1,b=http://127.0.0.1:1')
    const b = await start('b', `a=${a},b=http://127.0.0.1:1`)
    const negotiated = await fetch(`${a}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })
    const { connectionToken } = (await negotiated.json()) as { connectionToken: string }
    const at = `${b}/msg?id=${connectionToken}`
    expect((await fetch(at)).status).toBe(200)
    expect((await fetch(at, { method: 'DELETE' })).status).toBe(202)
    for (const { err } of running) expect(err).not.toContain(SECRET)
  })

  it.each([
    [['--node-name', 'a'], "Nodes need 'nodeSecret'"],
    [['--node-secret', SECRET], "Other nodes can't know a free port"],
    [['--node-secret', SECRET, '--node-urls', 'a=http://10.0.0.1'], "'nodeUrls' needs 'nodeName'"],
    [['--node-secret', SECRET, '--node-url', 'http://10.0.0.1/path'], 'without a path'],
    [
      ['--node-name', 'a', '--node-secret', SECRET, '--node-urls', 'http://10.0.0.1'],
      "'http://10.0.0.1' is no part of one",
    ],
    [['--node-name', 'a', '--node-secret', SECRET, '--node-urls', 'a=10.0.0.1'], "The address of the node 'a'"],
    [['--node-name', 'a', '--node-secret', 'short', '--node-urls', 'a=http://10.0.0.1'], 'fewer than 32 characters'],
    [['--node-name', 'c', '--node-secret', SECRET, '--node-urls', 'a=http://10.0.0.1'], "no address for 'c'"],
  ])('says what is wrong with %j', async (args, message) => {
    const { code, err } = await run(['serve', '--port', '0', ...args])
    expect([code, err]).toEqual([1, expect.stringContaining(message)])
    expect(err).not.toContain(SECRET)
    expect(err).not.toContain('    at ')
  })
})
