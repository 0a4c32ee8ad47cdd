import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasMariadb, MariadbProcess } from './mariadb-process.ts'

/** Of tests that need MariaDB: skipped with a reason where it is not installed, failed where it has to be. */
export function describeMariadb(
  name: string,
  settings: readonly string[],
  tests: (mariadb: () => MariadbProcess) => void,
): void {
  if (!hasMariadb) {
    console.log(`${name}: skipped, MariaDB is not installed (apt-get install mariadb-server)`)
    if (process.env['REQUIRE_ENGINES'] === '1') {
      it(`${name}: MariaDB is installed`, () => expect(hasMariadb).toBe(true))
    }
  }
  describe.skipIf(!hasMariadb)(`${name}, on an instance of its own`, () => {
    let mariadb: MariadbProcess | undefined
    beforeAll(async () => {
      mariadb = await MariadbProcess.start(settings)
    }, 60_000)
    afterAll(async () => {
      await mariadb?.close()
    })
    tests(() => {
      if (!mariadb) throw new Error('MariaDB does not run.')
      return mariadb
    })
  })
}
