import type { QueryTransaction, TemplateTransaction } from './outbox.ts'

/** Runs statements by a function for templates: the texts between a statement's placeholders, and what stands for them. */
export function queryByTemplate(run: TemplateTransaction): QueryTransaction {
  return { query: (text, params) => run(templateOf(text), ...params) }
}

/** Ours have their placeholders in order, each once, and no other `?` or `$1`. */
function templateOf(text: string): TemplateStringsArray {
  const parts = text.split(/\$\d+|\?/)
  return Object.assign(parts, { raw: parts })
}
