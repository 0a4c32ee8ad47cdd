/** What the rule needs of the syntax tree's nodes (ESTree), so that it is built without ESLint. */
export interface Node {
  readonly type: string
  readonly [member: string]: unknown
}

/** What the rule needs of ESLint's context. */
export interface RuleContext {
  readonly sourceCode: { getText(node: Node): string }
  report(problem: { readonly node: Node; readonly messageId: string; readonly data?: Record<string, string> }): void
}

export interface Rule {
  readonly meta: object
  create(context: RuleContext): Record<string, (node: Node) => void>
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

export function nodesOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The name of a member or key, where it is written out: `a.name`, `a['name']`, `{ name: … }`. */
export function nameOf(key: unknown): string | undefined {
  if (!isNode(key)) return undefined
  if (key.type === 'Identifier') return key['name'] as string
  return key.type === 'Literal' && typeof key['value'] === 'string' ? key['value'] : undefined
}

/** The members of an object literal that have such names. */
export function membersOf(node: Node | undefined): ReadonlyMap<string, Node> {
  const members = new Map<string, Node>()
  if (node?.type !== 'ObjectExpression') return members
  for (const member of nodesOf(node['properties'])) {
    const name = nameOf(member['key'])
    if (name !== undefined && isNode(member['value'])) members.set(name, member['value'])
  }
  return members
}
