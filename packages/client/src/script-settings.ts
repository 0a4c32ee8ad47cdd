/** What the script tag says. */
export interface ScriptSettings {
  /** Of the hub. */
  readonly url: string
  /** Of the Terrasoft global. */
  readonly name: string
  readonly user: string | undefined
}

const FILE = '/serverchannel.js'
const URL_WITH_PATH = /^https?:\/\/[^/]+\/./

/**
 * Reads the script tag: `data-url`, else the hub that serves the script (its url without `/serverchannel.js`), else
 * `/msg`; `data-global`, else `Terrasoft`; `data-user`.
 */
export function readScriptSettings(
  script: { readonly src: string; readonly dataset: Readonly<Record<string, string | undefined>> } | undefined,
): ScriptSettings {
  const { url, global, user } = script?.dataset ?? {}
  return { url: url ?? (script && hubOf(script.src)) ?? '/msg', name: global ?? 'Terrasoft', user }
}

/** Undefined where the script does not come from a hub: from a bundle, a folder's root, or the page itself. */
function hubOf(src: string): string | undefined {
  const path = src.replace(/[?#].*/, '')
  const hub = path.slice(0, -FILE.length)
  return path.endsWith(FILE) && URL_WITH_PATH.test(hub) ? hub : undefined
}
