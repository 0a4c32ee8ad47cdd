/** What the script tag says. */
export interface ScriptSettings {
  /** Of the hub. */
  readonly url: string
  /** Of the Terrasoft global. */
  readonly name: string
  readonly user: string | undefined
}

/** A hub's url in front of one of the two scripts. */
const HUB = /^(https?:\/\/[^/]+\/.+)\/serverchannel(?:-creatio)?\.js$/

/**
 * Reads the script tag: `data-url`, else the hub that serves the script (its url without `/serverchannel.js`), else
 * `/msg`; `data-global`, else `Terrasoft`; `data-user`. Module loaders set no attributes: `global` and `user` may stand
 * in the query of the script's url, too.
 */
export function readScriptSettings(
  script: { readonly src: string; readonly dataset: Readonly<Record<string, string | undefined>> } | undefined,
): ScriptSettings {
  const { url, global, user } = script?.dataset ?? {}
  const [path = '', query] = script?.src.replace(/#.*/, '').split('?') ?? []
  const asked = new URLSearchParams(query)
  return {
    url: url ?? HUB.exec(path)?.[1] ?? '/msg',
    name: global ?? asked.get('global') ?? 'Terrasoft',
    user: user ?? asked.get('user') ?? undefined,
  }
}
