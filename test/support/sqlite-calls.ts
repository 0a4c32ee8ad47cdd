/** A system call of a traced process, at the place in the trace where it was over. */
interface Call {
  readonly name: string
  readonly text: string
  readonly began: number
  readonly ended: number
}

/** The calls of a trace that `strace -f -y -o FILE` wrote, those of threads that ran at the same time put together. */
export function callsOf(trace: string): readonly Call[] {
  const calls: Call[] = []
  const begun = new Map<string, { readonly text: string; readonly began: number }>()
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    const [, name] = /^(\w+)\(/.exec(rest) ?? []
    const [, resumed] = /^<\.\.\. (\w+) resumed>/.exec(rest) ?? []
    if (name !== undefined && rest.endsWith('<unfinished ...>')) begun.set(thread, { text: rest, began: at })
    else if (name !== undefined) calls.push({ name, text: rest, began: at, ended: at })
    else if (resumed !== undefined) {
      const first = begun.get(thread)
      begun.delete(thread)
      if (first) calls.push({ name: resumed, text: first.text + rest, began: first.began, ended: at })
    }
  }
  return calls
}

const isSync = ({ name, text }: Call): boolean =>
  /^f(data)?sync$/.test(name) && text.includes('-wal>') && text.endsWith(' = 0')

/**
 * For each mark that is a post's id and stands in its body: whether it was written to the write-ahead log, then synced, and
 * only after that acknowledged: `written, synced, acknowledged`, or what was otherwise.
 */
export function orderOf(trace: string, mark: string): string {
  const calls = callsOf(trace)
  const written = calls.find(({ name, text }) => name === 'pwrite64' && text.includes('-wal>') && text.includes(mark))
  if (!written) return 'not written'
  const acknowledged = calls.find(
    ({ name, text }) =>
      /^(write|writev|sendto|sendmsg)$/.test(name) && text.includes('201 Created') && text.includes(mark),
  )
  if (!acknowledged) return 'not acknowledged'
  // Begun after it was written: an earlier one may have left it out.
  const synced = calls.find((call) => isSync(call) && call.began > written.ended)
  if (!synced) return 'written, acknowledged, never synced'
  return synced.ended < acknowledged.began ? 'written, synced, acknowledged' : 'acknowledged before it was synced'
}
