// A node of the stores' table, in a process of its own.
import { createServerChannel } from 'serverchannel'
import { createLocalNode, type NodeRequest, type StoreNode } from './store-node.ts'

let node: StoreNode | undefined

async function run(request: NodeRequest): Promise<unknown> {
  switch (request.kind) {
    case 'open':
      node = createLocalNode(await createServerChannel(request.options))
      return undefined
    case 'postFor':
      return node?.postFor(request.outstanding, request.seconds)
    case 'postSteadily':
      return node?.postSteadily(request.count, request.perSecond)
    case 'close':
      await node?.close()
      return process.exit()
    default:
      return request satisfies never
  }
}

process.on('disconnect', () => process.exit())
process.on('message', (request: NodeRequest) => {
  run(request).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
