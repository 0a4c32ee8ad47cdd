import chromium from '@sparticuz/chromium'
import { type Browser, chromium as playwright } from 'playwright-core'

/**
 * A real Chromium, from npm. Not with the arguments that its package suggests: those run it in one process, which ends with
 * the first window that is closed, and switch off the checks of origins that the tests are there for.
 */
export async function launchBrowser(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-sync', '--disable-component-update'],
  })
}
