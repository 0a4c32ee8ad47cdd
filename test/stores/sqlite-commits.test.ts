import { afterAll, describe } from 'vitest'
import { itDeliversCommits } from '../support/outbox-commits.ts'
import { SqliteOutboxScene } from '../support/sqlite-outbox.ts'

describe.each(['WAL', 'DELETE'] as const)('commits in SQLite, in journal mode %s', (journal) => {
  // Writers that are in one process don't wait for each other by a sleep that would stop all of them.
  const scene = new SqliteOutboxScene(journal, 0)
  afterAll(() => scene.close())
  itDeliversCommits(`SQLite, ${journal}`, () => scene, 3)
})
