import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { settings, variableName } from '../packages/server/src/cli/settings.ts'

const deploy = fileURLToPath(new URL('../deploy/', import.meta.url))
const read = (file: string): string => readFileSync(join(deploy, file), 'utf8')
const files = ['Dockerfile', 'compose.yaml', 'systemd/serverchannel.service', 'kubernetes/serverchannel.yaml']
const secrets = {
  SERVERCHANNEL_NODE_SECRET: 'n'.repeat(32),
  SERVERCHANNEL_USER_TOKEN_SECRET: 'u'.repeat(32),
  SERVERCHANNEL_API_KEYS: 'k'.repeat(24),
}

/** Whether a tool is on this machine and does what the test needs without its engine. */
function has(command: string, args: readonly string[]): boolean {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 15_000 })
  if (status === 0) return true
  console.log(`skipped: '${command} ${args.join(' ')}' is not to be had here: ${error?.message ?? stderr.trim()}`)
  return false
}

describe('the files in deploy', () => {
  it.each(files)('%s names no setting that there is not', (file) => {
    const known = new Set(settings.map(({ name }) => variableName(name)))
    const named = read(file).match(/SERVERCHANNEL_[A-Z_]+/g) ?? []
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })

  it('give each kind of thing what it needs to go down in peace', () => {
    const compose = parse(read('compose.yaml'), { merge: true }) as {
      services: Record<string, { stop_grace_period?: string; command?: string[] }>
    }
    for (const name of ['node-a', 'node-b', 'node-c']) {
      expect(compose.services[name]?.stop_grace_period).toBe('20s')
      expect(compose.services[name]?.command?.[0]).toBe('serve')
    }
    const [deployment, service, budget] = parseAllDocuments(read('kubernetes/serverchannel.yaml')).map((document) => {
      expect(document.errors).toEqual([])
      return document.toJS() as {
        kind: string
        spec: { template?: { spec: { terminationGracePeriodSeconds: number } } }
      }
    })
    expect([deployment?.kind, service?.kind, budget?.kind]).toEqual(['Deployment', 'Service', 'PodDisruptionBudget'])
    expect(deployment?.spec.template?.spec.terminationGracePeriodSeconds).toBeGreaterThan(12)
    expect(read('systemd/serverchannel.service')).toContain('KillMode=mixed')
  })

  it.skipIf(!has('docker', ['compose', 'version']))('make a Compose project', () => {
    const { status, stderr } = spawnSync('docker', ['compose', '-f', join(deploy, 'compose.yaml'), 'config', '-q'], {
      env: { ...process.env, ...secrets },
      encoding: 'utf8',
      timeout: 15_000,
    })
    expect([status, stderr]).toEqual([0, ''])
  })

  it.skipIf(!has('systemd-analyze', ['--version']))('make a unit that systemd takes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'unit-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'serverchannel.service')
    // The command must be there for the check; where Node is differs.
    writeFileSync(file, read('systemd/serverchannel.service').replace('/usr/bin/node', process.execPath))
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8', timeout: 15_000 })
    // What it says of other units of the machine is none of ours.
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('serverchannel.service'))).toEqual([])
  })
})
