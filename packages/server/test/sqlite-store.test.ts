import { createSqlite } from './sqlite-scene.ts'
import { describeStore } from './store-contract.ts'

describeStore('sqlite store, logged', (bounds) => createSqlite({ ...bounds, durability: 'logged' }))
describeStore('sqlite store, synced', (bounds) => createSqlite({ ...bounds, durability: 'synced' }))
