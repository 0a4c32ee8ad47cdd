import type { Rule } from './eslint/syntax.ts'
import { unForOn } from './eslint/un-for-on.ts'

/** An ESLint plugin. Its `recommended` is for flat configurations, ESLint 9 and newer. */
export interface ServerChannelPlugin {
  readonly meta: { readonly name: string }
  readonly rules: { readonly 'un-for-on': Rule }
  readonly configs: { readonly recommended: readonly object[] }
}

const rules = { 'un-for-on': unForOn }

/**
 * Finds page code that listens to `ServerChannel` and never stops.
 *
 * @example
 * // eslint.config.js
 * import serverchannel from '@serverchannel/client/eslint'
 * export default [...serverchannel.configs.recommended]
 */
const plugin: ServerChannelPlugin = {
  meta: { name: '@serverchannel/client/eslint' },
  rules,
  configs: {
    recommended: [{ plugins: { serverchannel: { rules } }, rules: { 'serverchannel/un-for-on': 'error' } }],
  },
}

export default plugin
