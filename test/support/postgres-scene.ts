import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PostgresStore, type PostgresStoreOptions } from '../../packages/server/src/stores/postgres.ts'
import type { StoreBounds } from '../../packages/server/test/store-contract.ts'
import { hasPostgres, PostgresProcess } from './postgres-process.ts'

/** Of tests that need PostgreSQL: skipped with a reason where it is not installed, failed where it has to be. */
export function describePostgres(
  name: string,
  settings: readonly string[],
  tests: (postgres: () => PostgresProcess) => void,
): void {
  if (!hasPostgres) {
    console.log(`${name}: skipped, PostgreSQL is not installed (apt-get install postgresql)`)
    if (process.env['REQUIRE_ENGINES'] === '1') {
      it(`${name}: PostgreSQL is installed`, () => expect(hasPostgres).toBe(true))
    }
  }
  describe.skipIf(!hasPostgres)(`${name}, on an instance of its own`, () => {
    let postgres: PostgresProcess | undefined
    beforeAll(async () => {
      postgres = await PostgresProcess.start(settings)
    }, 60_000)
    afterAll(async () => {
      await postgres?.close()
    })
    tests(() => {
      if (!postgres) throw new Error('PostgreSQL does not run.')
      return postgres
    })
  })
}

export function createPostgresStore(
  address: string,
  bounds: StoreBounds,
  options: Partial<PostgresStoreOptions> = {},
): PostgresStore {
  return new PostgresStore({ ...bounds, address, storeWaitingBytesMax: 67_108_864, onWarning: () => {}, ...options })
}
