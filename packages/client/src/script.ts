// The build for `<script src="/msg/serverchannel.js">`: two globals, and no connection before one is needed.
import type { Channel } from './channel.ts'
import { connect } from './connect.ts'
import { withUser } from './hub-url.ts'
import type { ConnectOptions } from './options.ts'
import { readScriptSettings } from './script-settings.ts'
import { installTerrasoft } from './terrasoft.ts'

const script = typeof document === 'object' ? document.currentScript : null
const { name, url, user } = readScriptSettings(script && 'src' in script ? script : undefined)

Object.assign(globalThis, {
  ServerChannel: {
    connect: (hubUrl = withUser(url, user), options?: ConnectOptions): Channel => connect(hubUrl, options),
  },
})
installTerrasoft(globalThis, { name, url, user })
