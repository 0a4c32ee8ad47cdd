import { type Channel, connect } from './connect.ts'
import { withUser } from './hub-url.ts'
import type { ConnectOptions } from './options.ts'
import { readScriptSettings } from './script-settings.ts'
import { installNames } from './terrasoft/install-names.ts'
import { installTerrasoft, type Terrasoft } from './terrasoft.ts'

/** What a script offers besides: under Creatio's global name, and under our own. */
export interface MoreNames {
  readonly terrasoft: object
  readonly serverChannel: object
}

/** Of the AMD module, where the page's own code loads the script. */
const MODULE = 'serverchannel'

/** Makes two globals, and an AMD module where there is a loader; no connection before one is needed. */
export function startScript(createMore?: (terrasoft: Terrasoft) => MoreNames): void {
  const current = typeof document === 'object' ? document.currentScript : null
  const script = current && 'src' in current ? current : undefined
  const { name, url, user } = readScriptSettings(script)
  const terrasoft = installTerrasoft(globalThis, { name, url, user })
  const more = createMore?.(terrasoft)
  installNames(globalThis, name, more?.terrasoft ?? {})
  const serverChannel = installNames(globalThis, 'ServerChannel', {
    connect: (hubUrl = withUser(url, user), options?: ConnectOptions): Channel => connect(hubUrl, options),
    ...more?.serverChannel,
  })
  defineModule({ ...serverChannel, Terrasoft: terrasoft }, script?.dataset.requiremodule !== undefined)
}

/** A loader that asked for the script gives it its name; where a tag loads it, an unnamed module would be an error. */
function defineModule(exported: object, isAskedFor: boolean): void {
  const define: unknown = Reflect.get(globalThis, 'define')
  if (typeof define !== 'function' || !Reflect.get(define, 'amd')) return
  Reflect.apply(define, undefined, [...(isAskedFor ? [] : [MODULE]), [], () => exported])
}
