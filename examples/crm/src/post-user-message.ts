import { Terrasoft } from 'serverchannel/terrasoft'

/**
 * Creatio's process element "post user message", as attributes of a service task in the process file. Its texts may hold
 * expressions of the engine, such as `${environment.variables.orderId}`. Source: PARITY 1.2, `PostUserMessageUserTask`.
 */
export const postUserMessageAttributes: object = {
  name: 'Creatio',
  prefix: 'terrasoft',
  uri: 'http://serverchannel.example/terrasoft',
  xml: { tagAlias: 'lowerCase' },
  types: [
    {
      name: 'PostUserMessageUserTask',
      extends: ['bpmn:ServiceTask'],
      properties: [
        // To everybody; else to the users whose ids are in the process variable of this name.
        { name: 'sendForAll', isAttr: true, type: 'Boolean' },
        { name: 'targetUserIdsKey', isAttr: true, type: 'String' },
        { name: 'senderName', isAttr: true, type: 'String' },
        { name: 'messageText', isAttr: true, type: 'String' },
      ],
    },
  ],
}

interface Task {
  readonly id: string
  /** What stands in the process file; `Service` is what the engine makes a service task's work with. */
  readonly behaviour: { [name: string]: unknown }
  readonly environment: {
    readonly variables: Readonly<Record<string, unknown>>
    resolveExpression(text: string): unknown
  }
}

type Callback = (error?: Error | null) => void

/** An extension of the engine: gives each task that has a sender's name its work. */
export function postUserMessage({ behaviour }: Task): { activate(): void; deactivate(): void } {
  if (behaviour['senderName'] !== undefined) behaviour['Service'] = PostUserMessage
  return { activate() {}, deactivate() {} }
}

class PostUserMessage {
  readonly #task: Task

  constructor(task: Task) {
    this.#task = task
  }

  execute(_message: object, callback: Callback): void {
    const { behaviour, environment } = this.#task
    const senderName = textOf(behaviour['senderName'])
    const text = environment.resolveExpression(textOf(behaviour['messageText']))
    const utilities = Terrasoft.Configuration.MsgChannelUtilities
    try {
      // Those who are offline are no error: they get it when they come back.
      if (behaviour['sendForAll'] === true) utilities.PostMessageToAll(senderName, text)
      else utilities.PostMessage(this.#targets(), senderName, text)
      callback()
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** @throws Error where the process has no such list */
  #targets(): string[] {
    const { id, behaviour, environment } = this.#task
    const targetUserIdsKey = textOf(behaviour['targetUserIdsKey'])
    const ids = environment.variables[targetUserIdsKey]
    if (!Array.isArray(ids) || ids.length === 0) {
      throw new Error(`${id} has nobody to tell: the variable '${targetUserIdsKey}' is no list of user ids.`)
    }
    return ids.map(String)
  }
}

/** An attribute that the process file leaves out is an empty text. */
function textOf(attribute: unknown): string {
  return typeof attribute === 'string' ? attribute : ''
}
