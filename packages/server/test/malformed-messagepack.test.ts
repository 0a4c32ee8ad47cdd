import { it } from 'vitest'
import { throwMalformedMessages } from './malformed-messages.ts'

const TIME = { timeout: 120_000 }

it('10,000 malformed messages of messagepack end nothing, hold up nobody and leave nothing behind', TIME, () =>
  throwMalformedMessages('messagepack'),
)
