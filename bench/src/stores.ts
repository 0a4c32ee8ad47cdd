// The stores' table by itself, since it posts in process and needs no load driver: `node bench/dist/stores.js [--quick] [--json]`.
// Engines are measured where they are named: `--store redis://127.0.0.1:6379?channel=bench --store nats://127.0.0.1:4222?channel=bench`,
// and with several nodes on one log where it says so: `--nodes 1,2`.
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.ts'
import { measureStores, type StoreContender, storeContenders, storesMarkdown } from './stores-table.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    stores: { type: 'string' },
    store: { type: 'string', multiple: true },
    nodes: { type: 'string', default: '1' },
  },
})
const asked = values.stores?.split(',')
const nodeCounts = values.nodes.split(',').map(Number)
if (!nodeCounts.every((count) => Number.isInteger(count) && count >= 1 && count <= 16)) {
  throw new Error('--nodes: numbers from 1 to 16, as 1,2.')
}
const engines = (values.store ?? []).flatMap((store) => {
  const name = store.slice(0, store.indexOf(':'))
  return nodeCounts.map(
    (nodes): StoreContender => ({
      name: nodes === 1 ? name : `${name}-${nodes}-nodes`,
      title: nodes === 1 ? name : `${name}, ${nodes} nodes`,
      options: () => ({ store }),
      nodes,
    }),
  )
})
const contenders = [...storeContenders.filter(({ name }) => asked?.includes(name) ?? true), ...engines]
if (contenders.length === 0) throw new Error(`--stores: of ${storeContenders.map(({ name }) => name).join(', ')}.`)
const machine = describeMachine()
const plan = values.quick ? { rounds: 1, seconds: 1 } : { rounds: 3, seconds: 3 }
const rows = await measureStores(contenders, plan, (text) => void process.stderr.write(text))
const { cpu, cores, node, loadBefore } = machine
console.log(
  values.json
    ? JSON.stringify({
        machine,
        plan,
        rows: rows.map(({ rounds, ...row }) => ({
          ...row,
          rounds: rounds.map(({ rates, ...round }) => ({ rates: Object.fromEntries(rates), ...round })),
        })),
      })
    : `${cores} × ${cpu}, Node ${node}, load before ${loadBefore}\n\n${storesMarkdown(rows)}`,
)
