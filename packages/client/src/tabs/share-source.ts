import type { OwnConnection } from '../create-channel.ts'
import type { OpenSource } from '../source.ts'
import { createLeaderLink } from './leader-link.ts'
import { createHubRelay } from './shared-connection.ts'
import { sharedName } from './shared-name.ts'
import type { OpenLink } from './tab-message.ts'
import { TabSource } from './tab-source.ts'
import { createWorkerLink } from './worker-link.ts'

/**
 * Puts a connection that is shared in the place of one of the tab's own.
 *
 * @param workerUrl false: no worker. Undefined: the hub's own, where it is of this page's origin
 */
export function shareSource(
  { hub, settings, transports, openOwn }: OwnConnection,
  workerUrl: string | false | undefined,
): OpenSource {
  const name = sharedName(hub, settings, transports)
  const links: OpenLink[] = []
  if (typeof navigator === 'object' && 'locks' in navigator) {
    const tab = createTabName(settings.environment.random)
    const script = typeof SharedWorker === 'function' ? scriptOf(hub, workerUrl) : undefined
    if (script !== undefined) links.push(createWorkerLink(script, name, tab))
    links.push(
      createLeaderLink(`serverchannel ${name}`, tab, (ways) => createHubRelay(hub, settings, transports, ways)),
    )
  }
  const { environment, accessToken } = settings
  return (listener) =>
    new TabSource(
      {
        environment,
        links,
        openOwn,
        accessToken: async () => (typeof accessToken === 'function' ? accessToken() : accessToken),
      },
      listener,
    )
}

/** A worker's script has to be of the page's own origin. */
function scriptOf(hub: URL, workerUrl: string | false | undefined): string | undefined {
  if (workerUrl === false) return undefined
  if (workerUrl !== undefined) return workerUrl
  const script = new URL(hub)
  script.protocol = script.protocol.replace(/^ws/, 'http')
  script.search = ''
  script.pathname = `${script.pathname.replace(/\/$/, '')}/shared-worker.js`
  return script.origin === location.origin ? script.href : undefined
}

/** Not `randomUUID`, which pages without https don't have. Without a space. */
function createTabName(random: () => number): string {
  return Array.from({ length: 4 }, () => Math.floor(random() * 2 ** 32).toString(36)).join('-')
}
