import { isNode, membersOf, type Node, nameOf, nodesOf, type Rule, type RuleContext } from './syntax.ts'

/** One event that a call of `on` or `un` names, in the words of the source text. */
interface Registration {
  readonly node: Node
  readonly event: string
  readonly handler: Node
  readonly scope: string | undefined
}

const ADDING = new Set(['on', 'addListener'])
const REMOVING = new Set(['un', 'removeListener'])
const OPTIONS = new Set(['scope', 'single', 'delay', 'buffer', 'priority', 'destroyable', 'target'])

/**
 * Finds handlers that are added to `ServerChannel` and never removed in the same file: `un` has to name the same event, the
 * same function and the same scope, or nothing is removed. Source: PARITY 2.2, 4.3.
 */
export const unForOn: Rule = {
  meta: {
    type: 'problem',
    docs: { description: "Require a matching 'un' for each 'on' of ServerChannel." },
    schema: [],
    messages: {
      missing:
        "'{{event}}' is listened to here, and no 'un' in this file takes {{handler}} off again: the page leaks it, and runs it twice when it is opened again. Give un the same event, function and scope ({{scope}}) in destroy.",
      anonymous:
        "This handler of '{{event}}' has no name that 'un' could be given: it can't be taken off again. Make it a method.",
      scope: "'un' takes {{handler}} off with another scope than this 'on' has ({{scope}}): then nothing is taken off.",
    },
  },
  create(context) {
    const added: Registration[] = []
    const removed: Registration[] = []
    let clearsAll = false
    return {
      CallExpression(node) {
        const method = methodOf(node)
        if (method === undefined) return
        if (ADDING.has(method)) added.push(...registrations(node, context))
        else if (REMOVING.has(method)) removed.push(...registrations(node, context))
        else if (method === 'clearListeners') clearsAll = true
      },
      'Program:exit'() {
        if (clearsAll) return
        for (const registration of added) report(context, registration, removed)
      },
    }
  },
}

/** The method, where it is one of a `ServerChannel`. */
function methodOf(call: Node): string | undefined {
  const callee = call['callee']
  if (!isNode(callee) || callee.type !== 'MemberExpression' || !isNode(callee['object'])) return undefined
  const owner = callee['object']
  const name = owner.type === 'MemberExpression' ? nameOf(owner['property']) : nameOf(owner)
  return name === 'ServerChannel' ? nameOf(callee['property']) : undefined
}

function registrations(call: Node, { sourceCode }: RuleContext): readonly Registration[] {
  const [event, handler, scope, options] = nodesOf(call['arguments'])
  if (event?.type === 'ObjectExpression') return fromObject(call, event, sourceCode)
  if (!event || !handler || endsByItself(options)) return []
  const name = eventOf(sourceCode.getText(event))
  return [{ node: call, event: name, handler, scope: scope && sourceCode.getText(scope) }]
}

/** An event may be written as a text in one place and as a constant in the other. Case is of no matter to Ext. */
function eventOf(text: string): string {
  const constant = /\bEventName\.(\w+)$/.exec(text)?.[1]
  const name = (constant === undefined ? undefined : EVENTS.get(constant)) ?? text.replace(/^(['"])(.*)\1$/s, '$2')
  return name.toLowerCase()
}

const EVENTS: ReadonlyMap<string, string> = new Map([
  ['ON_MESSAGE', 'message'],
  ['ON_CONNECTION_INITIALIZED', 'opened'],
  ['ON_CHANNEL_CLOSED', 'closed'],
  ['ON_ERROR', 'error'],
])

/** `on({ message: fn, opened: { fn, single: true }, scope: this })` */
function fromObject(call: Node, object: Node, sourceCode: RuleContext['sourceCode']): readonly Registration[] {
  const found: Registration[] = []
  const shared = membersOf(object)
  if (endsByItself(object)) return []
  for (const [event, value] of shared) {
    if (OPTIONS.has(event)) continue
    const own = membersOf(value)
    const handler = own.get('fn') ?? value
    const scope = own.get('scope') ?? shared.get('scope')
    if (endsByItself(value)) continue
    found.push({ node: call, event: event.toLowerCase(), handler, scope: scope && sourceCode.getText(scope) })
  }
  return found
}

/** With `single` it is taken off after the first call, with `destroyable` by the object that is returned. */
function endsByItself(options: Node | undefined): boolean {
  const members = membersOf(options)
  return isTrue(members.get('single')) || isTrue(members.get('destroyable'))
}

function isTrue(node: Node | undefined): boolean {
  return node?.type === 'Literal' && node['value'] === true
}

function report(
  context: RuleContext,
  { node, event, handler, scope }: Registration,
  removed: readonly Registration[],
): void {
  const text = context.sourceCode.getText(handler)
  const isAnonymous =
    handler.type === 'FunctionExpression' || handler.type === 'ArrowFunctionExpression' || isBound(handler)
  const data = { event, handler: text, scope: scope ?? 'none' }
  if (isAnonymous) {
    context.report({ node, messageId: 'anonymous', data: { event } })
    return
  }
  const same = removed.filter((other) => other.event === event && context.sourceCode.getText(other.handler) === text)
  if (same.some((other) => other.scope === scope)) return
  context.report({ node, messageId: same.length > 0 ? 'scope' : 'missing', data })
}

/** `this.handler.bind(this)` is another function each time. */
function isBound(handler: Node): boolean {
  const callee = handler.type === 'CallExpression' ? handler['callee'] : undefined
  return isNode(callee) && callee.type === 'MemberExpression' && nameOf(callee['property']) === 'bind'
}
