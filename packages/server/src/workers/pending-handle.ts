import type { ChildProcess } from 'node:child_process'

/**
 * Closes the socket that was on its way to a process which is gone. Node 20.20 keeps it: nobody has it then, it stays
 * open, and its client waits for ever. There is no public way to it; where a Node has none at all, nothing is done.
 */
export function closePendingHandle(child: ChildProcess): void {
  const pending: unknown = Reflect.get(child, '_pendingMessage')
  if (typeof pending !== 'object' || pending === null) return
  const handle: unknown = Reflect.get(pending, 'handle')
  if (typeof handle !== 'object' || handle === null) return
  const close: unknown = Reflect.get(handle, 'close')
  // Of one that is closed already it does nothing.
  if (typeof close === 'function') close.call(handle)
}
