import { beforeAll } from 'vitest'
import { describeStore } from '../../packages/server/test/store-contract.ts'
import { describeSharedStore } from '../../packages/server/test/store-contract-shared.ts'
import { createPostgresStore, describePostgres } from '../support/postgres-scene.ts'

describePostgres('PostgreSQL', [], (postgres) => {
  let database = ''
  let channels = 0
  beforeAll(async () => {
    database = await postgres().createDatabase()
  })
  // Names that are hard to keep.
  const address = (): string => `${database}?channel=${encodeURIComponent(`'"; DROP %_$1 ${++channels} 日本`)}`

  describeStore('postgres store', (bounds) => createPostgresStore(address(), bounds))
  describeSharedStore('postgres store', (bounds) => {
    const shared = address()
    return Promise.resolve(() => createPostgresStore(shared, bounds))
  })
})
