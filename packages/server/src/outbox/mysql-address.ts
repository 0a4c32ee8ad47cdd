/**
 * Reads `mysql://user:password@host:3306/database`, or `mariadb://…`. Its parameters are options of mysql2, as `?ssl={}`.
 *
 * @returns the address as mysql2 takes it
 * @throws TypeError
 */
export function parseMysqlAddress(address: string): string {
  if (!/^(?:mysql|mariadb):\/\/[^/]*\/[^/?]+(?:\?.*)?$/.test(address) || !URL.canParse(address)) {
    throw new TypeError(
      "The address of a MySQL or MariaDB database is like 'mysql://user:password@host:3306/database'.",
    )
  }
  return address.replace(/^mariadb:/, 'mysql:')
}
