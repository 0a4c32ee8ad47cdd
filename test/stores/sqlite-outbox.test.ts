import { afterAll } from 'vitest'
import { describeOutbox } from '../support/outbox-contract.ts'
import { SqliteOutboxScene } from '../support/sqlite-outbox.ts'

for (const journal of ['WAL', 'DELETE'] as const) {
  const scene = new SqliteOutboxScene(journal)
  afterAll(() => scene.close())
  describeOutbox(`SQLite, with ${journal === 'WAL' ? 'a write-ahead log' : 'a rollback journal'}`, () => scene)
}
