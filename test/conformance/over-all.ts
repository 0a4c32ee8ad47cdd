import type { Check } from './check.ts'
import { combinations, Link, type LinkOptions } from './link.ts'
import type { Scene } from './scene.ts'

const NAMES = { WebSockets: 'ws', ServerSentEvents: 'sse', LongPolling: 'lp' } as const

type Define = (id: string, title: string, run: Check['run']) => Check

/** The same check on every transport, in every protocol that it carries. */
export function overAll(
  define: Define,
  id: string,
  title: string,
  run: (link: Link, scene: Scene) => Promise<void>,
  options: LinkOptions = {},
): readonly Check[] {
  return combinations.map(({ transport, protocol }) =>
    define(`${id}-${NAMES[transport]}-${protocol === 'json' ? 'json' : 'mp'}`, title, async (scene) =>
      run(await Link.open(scene, { ...options, transport, protocol }), scene),
    ),
  )
}
