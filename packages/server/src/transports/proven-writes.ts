import { DescriptorBatch, type SendAll } from './descriptor-batch.ts'
import { Descriptors } from './descriptors.ts'
import { HandleWrites } from './handle-writes.ts'
import { type ProvenWrites, proves } from './handle-writes-proof.ts'
import { HandleBatch, type WriteBatch } from './write-batch.ts'

let byHandles: Promise<ProvenWrites | undefined> | undefined
let byDescriptors: Promise<ProvenWrites | undefined> | undefined

/**
 * The fastest way that is proven here: tried once in a process, on a connection to itself, which takes some milliseconds.
 *
 * @param takesNative whether `@serverchannel/native` is used where it is installed
 */
export async function provenWrites(takesNative: boolean): Promise<ProvenWrites | undefined> {
  byHandles ??= proveHandles()
  const handles = await byHandles
  if (!handles || !takesNative) return handles
  byDescriptors ??= proveDescriptors(handles.handleWrites)
  return (await byDescriptors) ?? handles
}

async function proveHandles(): Promise<ProvenWrites | undefined> {
  const handleWrites = HandleWrites.find()
  if (!handleWrites) return undefined
  const writes: ProvenWrites = { handleWrites, createBatch: () => new HandleBatch(handleWrites) }
  return (await proves(writes)) ? writes : undefined
}

async function proveDescriptors(handleWrites: HandleWrites): Promise<ProvenWrites | undefined> {
  const sendAll = await findSendAll()
  if (!sendAll) return undefined
  const descriptors = Descriptors.guard(handleWrites.prototype)
  if (!descriptors) return undefined
  const createBatch = (): WriteBatch => new DescriptorBatch(handleWrites, descriptors, sendAll)
  const writes: ProvenWrites = { handleWrites, descriptors, createBatch }
  return (await proves(writes)) ? writes : undefined
}

/** Undefined where the package is not installed, or was not built. */
async function findSendAll(): Promise<SendAll | undefined> {
  try {
    return (await import('@serverchannel/native')).sendAll
  } catch {
    return undefined
  }
}
