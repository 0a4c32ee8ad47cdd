import { createConnection } from 'mysql2/promise'
import { beforeAll, expect, it } from 'vitest'
import { run } from './support/cli-process.ts'
import { blocks, runModule } from './support/doc-blocks.ts'
import { describeMariadb } from './support/mariadb-scene.ts'

const PAGE = 'docs/transactions-mysql.md'
const DOCUMENTED_DATABASE = 'mysql://app@127.0.0.1:3306/shop'

describeMariadb(`what ${PAGE} shows`, [], (mariadb) => {
  let database = ''
  beforeAll(async () => {
    database = await mariadb().createDatabase()
    await execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT); INSERT INTO orders VALUES (42, 'new')")
  })

  async function execute(statements: string): Promise<void> {
    const connection = await createConnection({ uri: database, multipleStatements: true })
    await connection.query(statements)
    await connection.end()
  }

  const commands = blocks(PAGE, 'sh')
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line.startsWith('npx serverchannel outbox'))

  it.each(commands)('%s', async (line) => {
    const [, , ...args] = line.replace(DOCUMENTED_DATABASE, database).split(' ')
    expect(await run(args)).toMatchObject({ code: 0, err: '' })
  })

  it.each(blocks(PAGE, 'sql').map((block, index) => [index + 1, block] as const))(
    'SQL block %i runs',
    async (_index, block) => {
      await execute(block)
    },
  )

  it('posts in a transaction from TypeScript', async () => {
    const [block = ''] = blocks(PAGE, 'ts')
    await execute('DELETE FROM serverchannel_outbox')
    // With the page's trigger in place, the update posts as well.
    const after = `
      for (;;) {
        const { messages } = await channel.read({ sender: 'OrderChanged' })
        if (messages.length === 2) {
          console.log(messages.map(({ Body }) => JSON.stringify(Body)).join(' '))
          break
        }
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      await channel.close()
      await connection.end()`
    await execute("UPDATE orders SET state = 'new'; DELETE FROM serverchannel_outbox")
    const { code, out, err } = await runModule(block.replace(DOCUMENTED_DATABASE, database), { after })
    expect({ code, out, err }).toEqual({ code: 0, out: '{"id":42} {"id":42}\n', err: '' })
  })
})
