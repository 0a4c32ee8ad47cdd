import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type CliProcess, run, serve } from '../support/cli-process.ts'

const SECRET = 'a-secret-of-thirty-two-characters-or-more'
const running: CliProcess[] = []

async function start(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { process, url } = await serve(args, environment)
  running.push(process)
  return url
}

afterEach(async () => {
  for (const process of running.splice(0)) await process[Symbol.asyncDispose]()
})

function yaml(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'serverchannel-')), 'serverchannel.yaml')
  writeFileSync(file, text)
  return file
}

const post = (url: string, headers: Record<string, string> = {}, body: unknown = { sender: 'A' }): Promise<Response> =>
  fetch(`${url}/api/messages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

describe('serverchannel serve', () => {
  it('says where it listens and serves hub, posting, script and health there', async () => {
    const url = await start()
    expect((await post(url)).status).toBe(201)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    expect((await fetch(`${url}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })).status).toBe(200)
    const script = await fetch(`${url}/msg/serverchannel.js`)
    expect(script.headers.get('content-type')).toContain('javascript')
    expect(await script.text()).toContain('Terrasoft')
    expect((await fetch(`${url}/nothing`)).status).toBe(404)
  })

  it('ends cleanly on SIGTERM', async () => {
    await start()
    const [process] = running
    process?.kill('SIGTERM')
    expect(await process?.exit()).toBe(0)
  })

  it.each(['0.0.0.0', '::', '10.1.2.3'])(
    'refuses to listen on %s without authentication, and says how to set it up',
    async (host) => {
      const { code, err } = await run(['serve', '--port', '0', '--host', host])
      expect(code).toBe(1)
      expect(err).toContain('SERVERCHANNEL_USER_TOKEN_SECRET')
      expect(err).toContain('SERVERCHANNEL_API_KEYS')
    },
  )

  it('listens beyond loopback with authentication, and then asks everybody who he is', async () => {
    const url = await start(['--host', '0.0.0.0'], {
      SERVERCHANNEL_USER_TOKEN_SECRET: SECRET,
      SERVERCHANNEL_API_KEYS: 'a-key-of-sixteen-characters',
    })
    const local = url.replace('0.0.0.0', '127.0.0.1')
    const negotiate = `${local}/msg/negotiate?negotiateVersion=1`
    expect((await fetch(negotiate, { method: 'POST' })).status).toBe(401)
    expect((await post(local)).status).toBe(401)
    expect((await post(local, { Authorization: 'Bearer wrong-key-of-sixteen' })).status).toBe(401)
    expect((await post(local, { Authorization: 'Bearer a-key-of-sixteen-characters' })).status).toBe(201)
    const token = await run(['token', '--user', 'ann', '--json'], { SERVERCHANNEL_USER_TOKEN_SECRET: SECRET })
    const headers = { Authorization: `Bearer ${(JSON.parse(token.out) as { token: string }).token}` }
    expect((await fetch(negotiate, { method: 'POST', headers })).status).toBe(200)
  })

  it('takes a setting from a flag before the environment before the file before its default', async () => {
    const file = yaml('path: /from-file\napiPath: /post-file\nhistoryCountMax: 5\n')
    const url = await start(['--config', file, '--path', '/from-flag'], { SERVERCHANNEL_API_PATH: '/post-environment' })
    const status = async (path: string, method = 'POST'): Promise<number> =>
      (await fetch(url + path, { method })).status
    expect(await status('/from-flag/negotiate')).toBe(200)
    expect(await status('/from-file/negotiate')).toBe(404)
    expect(await status('/post-environment')).toBe(415)
    expect(await status('/post-file')).toBe(404)
  })

  it.each([
    [['--history-count-max', 'many'], {}, '--history-count-max'],
    [[], { SERVERCHANNEL_PORT: '99999' }, 'SERVERCHANNEL_PORT'],
    [[], { SERVERCHANNEL_PROT: '1' }, 'SERVERCHANNEL_PROT'],
    [['--store', 'cassandra:'], {}, 'cassandra:'],
    [['--allowed-origins', 'app.example.com'], {}, 'app.example.com'],
    [['--api-keys', 'short'], {}, 'openssl rand'],
    [[], { SERVERCHANNEL_USER_TOKEN_SECRET: 'short' }, 'openssl rand'],
    [['--config', '/nowhere/serverchannel.yaml'], {}, '/nowhere/serverchannel.yaml'],
    [['--no-such-flag'], {}, '--no-such-flag'],
  ])('says what is wrong with %j %j', async (args, environment, expected) => {
    const { code, err } = await run(['serve', ...args], environment)
    expect(code).toBe(1)
    expect(err).toContain(expected)
    expect(err).not.toContain('    at ')
  })

  it('names an unknown key of the file', async () => {
    const { code, err } = await run(['serve', '--config', yaml('histroyCountMax: 5\n')])
    expect(code).toBe(1)
    expect(err).toContain('histroyCountMax')
  })

  it('says that the port is taken, as JSON where that is asked for', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const port = String((taken.address() as AddressInfo).port)
    const { code, err } = await run(['serve', '--port', port, '--json', '--store', 'memory:'])
    await new Promise((resolve) => taken.close(resolve))
    expect(code).toBe(1)
    expect((JSON.parse(err) as { error: string }).error).toContain('--port')
  })
})
