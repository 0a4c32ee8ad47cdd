import { shell } from './shell.js'

/**
 * Loads on request: one load at a time, and once more where a request came in the middle of one, so that what is shown
 * in the end was loaded after the last request.
 */
export function createRefresh(load) {
  let underWay
  let isWanted = false
  const run = async () => {
    try {
      do {
        isWanted = false
        await load()
      } while (isWanted)
    } catch (error) {
      shell.notify(error.message)
    } finally {
      underWay = undefined
    }
  }
  return () => {
    isWanted = true
    underWay ??= run()
  }
}
