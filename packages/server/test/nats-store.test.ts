import { afterAll, beforeAll, describe } from 'vitest'
import { hasNats, NatsProcess } from '../../../test/support/nats-process.ts'
import { channelName } from './engine-bounds.ts'
import { createNatsStore } from './nats-scene.ts'
import { describeStore } from './store-contract.ts'
import { describeSharedStore } from './store-contract-shared.ts'

describe.skipIf(!hasNats)('on a NATS server', () => {
  let nats: NatsProcess

  beforeAll(async () => {
    nats = await NatsProcess.start()
  })
  afterAll(() => nats.close())

  describeStore('nats store', (bounds) => createNatsStore(nats.url, channelName(), bounds))

  describeSharedStore('nats store', (bounds) => {
    const channel = channelName()
    return Promise.resolve(() => createNatsStore(nats.url, channel, bounds))
  })
})
