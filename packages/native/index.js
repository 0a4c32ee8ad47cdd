import { createRequire } from 'node:module'

export const { sendAll } = createRequire(import.meta.url)('./build/send_all.node')
