import { callbackify } from 'node:util'
import { compileFunction } from 'node:vm'
import type { JavaScripts } from 'bpmn-engine'
import { Terrasoft } from 'serverchannel/terrasoft'

/** What the engine asks for scripts: one for each script task and for each condition of a sequence flow. */
type Scripts = Pick<JavaScripts, 'register' | 'getScript'>

interface ScriptElement {
  readonly id: string
  readonly type: string
  readonly behaviour: {
    readonly script?: string
    readonly scriptFormat?: string
    readonly conditionExpression?: { readonly language?: string; readonly body?: string }
  }
}

interface ScriptScope {
  readonly environment: unknown
}

type Callback = (error: unknown, result?: unknown) => void

/**
 * Runs the scripts of a process file as they stand there. A script sees `environment`, with the process's variables and
 * services, and `Terrasoft`; it may `return`, and its task ends when it does, or when the promise that it returns is kept.
 */
export function createProcessScripts(): Scripts {
  const scripts = new Map<string, { execute(scope: ScriptScope, callback: Callback): void }>()
  return {
    register({ id, type, behaviour }: ScriptElement) {
      const { language, body } = behaviour.conditionExpression ?? {
        language: behaviour.scriptFormat,
        body: behaviour.script,
      }
      if (!body) return undefined
      if (language !== 'javascript')
        throw new Error(`The script of ${id} is in '${language}'; it needs to be 'javascript'.`)
      const run = compileFunction(body, ['environment', 'Terrasoft'], { filename: `${type}/${id}` })
      const script = {
        execute: ({ environment }: ScriptScope, callback: Callback) =>
          callbackify(async () => run(environment, Terrasoft))(callback),
      }
      scripts.set(id, script)
      return script
    },
    // The engine takes the absence of a script for "this can't be run" and fails the process with its reason.
    getScript: (_language, { id }) => scripts.get(id) as ReturnType<Scripts['getScript']>,
  }
}
