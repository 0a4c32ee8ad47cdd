import { accessSync, constants } from 'node:fs'
import chromium from '@sparticuz/chromium'
import { type Browser, chromium as playwright } from 'playwright-core'

/** Debian's Chromium: the whole of it, where that from npm has no tabs and no back-forward cache. */
export const WHOLE_CHROMIUM = '/usr/bin/chromium'
export const ARGUMENTS: readonly string[] = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-sync',
  '--disable-component-update',
]

/** @returns why there is none here; undefined where there is one */
export function wholeChromiumMissing(): string | undefined {
  try {
    accessSync(WHOLE_CHROMIUM, constants.X_OK)
    return undefined
  } catch {
    return `there is no ${WHOLE_CHROMIUM}: scripts/engines.sh installs it`
  }
}

/** With its back-forward cache, which playwright switches off. */
export async function launchWholeChromium(): Promise<Browser> {
  return playwright.launch({
    executablePath: WHOLE_CHROMIUM,
    args: [...ARGUMENTS],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  })
}

/**
 * A real Chromium, from npm. Not with the arguments that its package suggests: those run it in one process, which ends with
 * the first window that is closed, and switch off the checks of origins that the tests are there for.
 */
export async function launchBrowser(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [...ARGUMENTS],
  })
}
