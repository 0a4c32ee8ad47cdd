import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BODY_BYTES, type Contender, hex } from './contender.ts'
import { freePortPair } from './free-ports.ts'
import { type QuietServer, type ServerProcess, startQuietServer, startTalkingServer } from './server-process.ts'

const NCHAN_MODULES = [
  '/usr/lib/nginx/modules/ngx_nchan_module.so',
  '/usr/share/nginx/modules/ngx_nchan_module.so',
  '/usr/lib64/nginx/modules/ngx_nchan_module.so',
]

const NATS_CONNECT = 'CONNECT {"verbose":false,"pedantic":false}\r\n'

const nats: Contender = {
  name: 'nats',
  title: 'nats-server over WebSocket, its own protocol: each client subscribes to one subject, posts come by TCP',
  missing: () =>
    runs('nats-server', '--version') ? undefined : 'nats-server is not installed (apt-get install nats-server)',
  start: (core) => startConfigured(core, natsServer),
  driverOptions: (server) => ({
    path: '/',
    hello: hex(Buffer.from(`${NATS_CONNECT}SUB all 1\r\nPING\r\n`)),
    ready: 'PONG',
    pingText: hex(Buffer.from('PING\r\n')),
    pongText: hex(Buffer.from('PONG\r\n')),
    postRaw: server.postPort,
    postHello: NATS_CONNECT,
    // The line end of a raw post ends the payload.
    postBefore: `PUB all ${BODY_BYTES}\r\n`,
    postAfter: '\r',
  }),
}

const nchan: Contender = {
  name: 'nchan',
  title: 'nchan (nginx), one process: WebSocket subscribers of one channel that keeps 10,000 messages, posts by HTTP',
  missing: () => {
    if (!runs('nginx', '-v')) return 'nginx is not installed (apt-get install nginx libnginx-mod-nchan)'
    return nchanModule() === undefined ? 'nginx has no nchan (apt-get install libnginx-mod-nchan)' : undefined
  },
  start: (core) => startConfigured(core, nchanServer),
  driverOptions: (server) => ({ path: '/all', postHttp: server.postPort, postPath: '/post', postType: 'text/plain' }),
}

const bun: Contender = {
  name: 'bun',
  title: 'Bun, `server.publish` to one topic, posts by HTTP',
  missing: () => (runs(bunProgram(), '--version') ? undefined : 'bun is not on PATH, and BUN names no program'),
  start: (core) => startTalkingServer(bunProgram(), [fileURLToPath(new URL('../peers/bun.js', import.meta.url))], core),
  driverOptions: (server) => ({ path: '/', postHttp: server.postPort, postPath: '/post', postType: 'text/plain' }),
}

/** What one could take instead, in each one's own protocol, with nothing around the body. */
export const peers: readonly Contender[] = [nats, nchan, bun]

/** A server that reads a file in a folder of its own. */
interface Configuration {
  readonly text: string
  server(file: string, folder: string): QuietServer
}

async function startConfigured(
  core: number | undefined,
  configure: (port: number, folder: string) => Configuration,
): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-bench-'))
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const configuration = configure(await freePortPair(), folder)
    const file = join(folder, 'server.conf')
    writeFileSync(file, configuration.text)
    const server = await startQuietServer(configuration.server(file, folder), core)
    const stop = async (): Promise<void> => {
      await server.stop()
      removeFolder()
    }
    return { ...server, stop }
  } catch (error) {
    removeFolder()
    throw error
  }
}

function natsServer(port: number): Configuration {
  return {
    text: `
host: "127.0.0.1"
port: ${port + 1}
websocket { host: "127.0.0.1", port: ${port}, no_tls: true }
`,
    server: (file) => ({ program: 'nats-server', programArgs: ['-c', file], port, postPort: port + 1 }),
  }
}

function nchanServer(port: number, folder: string): Configuration {
  return {
    text: `
load_module ${nchanModule() ?? ''};
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000000;
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /all { nchan_subscriber websocket; nchan_channel_id all; nchan_subscriber_first_message newest; }
    location = /post { nchan_publisher http; nchan_channel_id all; nchan_message_buffer_length 10000; }
  }
}
`,
    server: (file) => ({ program: 'nginx', programArgs: ['-p', folder, '-c', file], port, postPort: port }),
  }
}

function nchanModule(): string | undefined {
  return NCHAN_MODULES.find((file) => existsSync(file))
}

function bunProgram(): string {
  return process.env['BUN'] ?? 'bun'
}

function runs(program: string, flag: string): boolean {
  return spawnSync(program, [flag], { stdio: 'ignore' }).status === 0
}
