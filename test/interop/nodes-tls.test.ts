import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNodes } from '../support/node-process.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) console.log('openssl is not installed here: nodes that speak TLS to each other are not tested')

/** A folder with a new key, and a certificate of it for this machine. */
function createCertificate(): string {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const wanted = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const files = [
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    join(folder, 'key.pem'),
    '-out',
    join(folder, 'cert.pem'),
  ]
  const { status, stderr } = spawnSync('openssl', ['req', ...wanted.split(' '), ...files], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return folder
}

describe.skipIf(!hasOpenssl)('nodes that speak TLS', () => {
  it('pass on to each other, and know their clients by the scheme they came with', async () => {
    const folder = createCertificate()
    const nodes = await startNodes(['a', 'b'], {}, folder)
    onTestFinished(async () => {
      for (const node of nodes) await node.kill()
    })
    const [a = '', b = ''] = nodes.map(({ url }) => url)
    const ca = readFileSync(join(folder, 'cert.pem'))
    const ask = (url: string, method: string, headers: Record<string, string> = {}) =>
      new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
        const asked = request(url, { method, headers, ca, agent: false }, (response: IncomingMessage) => {
          let text = ''
          response.on('data', (data: Buffer) => {
            text += data.toString()
          })
          response.on('end', () => resolve({ status: response.statusCode, text }))
        })
        asked.on('error', reject).end()
      })
    const { text } = await ask(`${a}/msg/negotiate?negotiateVersion=1`, 'POST')
    const { connectionToken } = JSON.parse(text) as { connectionToken: string }
    const at = `${b}/msg?id=${connectionToken}`
    // A page that came by plain http is of another origin, where the client's own connection speaks TLS.
    expect((await ask(at, 'GET', { Origin: b.replace('https', 'http') })).status).toBe(403)
    expect((await ask(at, 'GET', { Origin: b })).status).toBe(200)
    expect((await ask(at, 'DELETE')).status).toBe(202)
  })
})
