import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Problem } from './problem.ts'
import type { Answer } from './router.ts'

/** The process that the server runs and the pages draw. */
export const processFile: string = fileURLToPath(new URL('../process/order-approval.bpmn', import.meta.url))

const pagesFolder = fileURLToPath(new URL('../pages/', import.meta.url))
const bpmnFolder = join(dirname(createRequire(import.meta.url).resolve('bpmn-js/package.json')), 'dist')

const contentTypes = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
])

/** bpmn-js writes `style` attributes into its drawing; scripts come from files only. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** What is served, by name: nothing that a path spells can lead anywhere else. */
const files = new Map([
  ...readdirSync(pagesFolder).map((name) => [name, join(pagesFolder, name)] as const),
  ['bpmn-viewer.js', join(bpmnFolder, 'bpmn-navigated-viewer.production.min.js')] as const,
  ['bpmn-diagram.css', join(bpmnFolder, 'assets/diagram-js.css')] as const,
  ['bpmn.css', join(bpmnFolder, 'assets/bpmn-js.css')] as const,
])

/** Read anew each time, so that a change to a page shows on its next load. */
export async function staticFile(name: string): Promise<Answer> {
  const path = files.get(name)
  const contentType = contentTypes.get(extname(name))
  if (!path || !contentType) throw new Problem(404, 'There is no such file.')
  const headers = { 'Content-Type': contentType, 'Cache-Control': 'no-cache', 'Referrer-Policy': 'no-referrer' }
  return {
    headers: extname(name) === '.html' ? { ...headers, 'Content-Security-Policy': CONTENT_SECURITY_POLICY } : headers,
    content: await readFile(path),
  }
}
