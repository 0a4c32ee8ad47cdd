const WAIT_MS_MAX = 5000

/** Waits until the condition holds, looking again in each turn of the loop. @throws Error that names it, after a while */
export async function until(condition: () => boolean, what: string, timeoutMs = WAIT_MS_MAX): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
