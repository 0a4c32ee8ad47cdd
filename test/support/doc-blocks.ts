import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))
const RUN_MS_MAX = 20_000

/** The fenced blocks of a page in these languages. */
export function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '')
}

/** What stands before and after a block where it is run. */
export interface Surroundings {
  readonly before?: string
  readonly after?: string
  readonly environment?: Readonly<Record<string, string>>
}

/** Runs a TypeScript block as a module of its own, in a process of its own. */
export async function runModule(
  source: string,
  { before = '', after = '', environment = {} }: Surroundings = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const file = join(createFolder(), 'block.mjs')
  const { outputText } = ts.transpileModule(`${before}\n${source}\n${after}`, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  writeFileSync(file, outputText)
  const child = spawn(process.execPath, [file], { env: { ...process.env, ...environment }, timeout: RUN_MS_MAX })
  let out = ''
  let err = ''
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

const CONSUMER: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: ['node'],
}

/** What the compiler finds wrong with TypeScript that a reader would write into a project of his own. */
export function checkTypes(source: string): string[] {
  const folder = createFolder()
  try {
    const file = join(folder, 'block.mts')
    writeFileSync(file, source)
    const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([file], CONSUMER))
    return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  } finally {
    // Else it would be looked at with the tests themselves.
    rmSync(folder, { recursive: true })
  }
}

/** What a program says that it prints: the comments behind its lines. */
export function promisedOutput(source: string): string[] {
  return [...source.matchAll(/\S.* \/\/ (.+)$/gm)].map((match) => match[1] ?? '')
}

/** Below the repository, so that its packages are found. */
function createFolder(): string {
  const folder = join(root, 'test/output/docs')
  mkdirSync(folder, { recursive: true })
  return mkdtempSync(join(folder, 'block-'))
}
