// The script of the SharedWorker that has the connection of all tabs. Its name says what to connect to.
import { createSettings } from './options.ts'
import { createHubRelay } from './tabs/shared-connection.ts'
import { readSharedName } from './tabs/shared-name.ts'
import type { ToRelay, ToTab } from './tabs/tab-message.ts'
import type { Hello } from './tabs/worker-link.ts'

const { hub, options, hasAccessToken } = readSharedName((globalThis as { readonly name?: string }).name ?? '')
const ports = new Map<string, MessagePort>()
let lastTab = 0

const toTab = (tab: string, message: ToTab): void => ports.get(tab)?.postMessage(message)
// That there is a token is known here, and which one is asked of the tabs.
const settings = createSettings({ ...options, accessToken: hasAccessToken ? '' : undefined })
const relay = createHubRelay(new URL(hub), settings, options.transports, {
  toTab,
  toAll(tabs, message) {
    for (const tab of tabs) toTab(tab, message)
  },
})

globalThis.addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (!port) return
  const tab = `${++lastTab}`
  ports.set(tab, port)
  port.addEventListener('message', ({ data }: MessageEvent<ToRelay | Hello>) => {
    if (data.kind !== 'hello') relay.receive(tab, data)
    else {
      // It can be had once the tab is gone.
      void navigator.locks.request(data.lock, () => {
        relay.remove(tab)
        ports.delete(tab)
      })
    }
  })
  port.start()
})
