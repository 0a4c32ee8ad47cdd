import { audiencesTable } from './audiences-table.ts'
import { burstsTable } from './bursts-table.ts'
import { invocationsTable } from './invocations-table.ts'
import { latencyTable } from './latency-table.ts'
import { messagesTable } from './messages-table.ts'
import { postingTable } from './posting-table.ts'
import { reconnectTable } from './reconnect-table.ts'
import { slowReadersTable } from './slow-readers-table.ts'
import type { Table } from './table.ts'
import { transportsTable } from './transports-table.ts'

/** All tables, in the order in which they are measured and printed. */
export const tables: readonly Table[] = [
  messagesTable,
  burstsTable,
  latencyTable,
  audiencesTable,
  slowReadersTable,
  reconnectTable,
  postingTable,
  transportsTable,
  invocationsTable,
]
