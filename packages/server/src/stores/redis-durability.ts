import type { RedisLink } from './redis-link.ts'
import { PERSISTENCE } from './redis-scripts.ts'

/** What Redis keeps of a write that it has answered: a file of snapshots does not count, it lags behind by minutes. */
export type RedisLevel = 'memory' | 'logged' | 'synced'

/**
 * Asks Redis how it keeps what it is given. `synced` is said only where its configuration can be read and says so, and in a
 * cluster never: whom the question reaches there is not known.
 *
 * @throws EngineAway
 */
export async function readLevel(link: RedisLink, metaKey: string, isCluster: boolean): Promise<RedisLevel> {
  const persistence = String(await link.run(PERSISTENCE, [metaKey], []))
  if (!/^aof_enabled:1\r?$/m.test(persistence)) return 'memory'
  if (isCluster) return 'logged'
  const [sync, whileRewriting] = [
    await readSetting(link, 'appendfsync'),
    await readSetting(link, 'no-appendfsync-on-rewrite'),
  ]
  return sync === 'always' && whileRewriting === 'no' ? 'synced' : 'logged'
}

/** Undefined where it is forbidden to ask, as with many who host Redis. */
async function readSetting(link: RedisLink, name: string): Promise<string | undefined> {
  try {
    const answer: unknown = await link.ask((client) => client.call('CONFIG', 'GET', name))
    return Array.isArray(answer) ? String(answer[1]) : undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return undefined
    throw error
  }
}
