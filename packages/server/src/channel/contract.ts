import { findIssues, type MessageContract } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { Draft } from './entry.ts'

/** Looks at a draft's body as pages will see it. @throws ChannelError `body_invalid` */
export type CheckContract = (draft: Draft) => void

/** Senders without a contract may post anything. */
export function createContractCheck(contract: MessageContract): CheckContract {
  const schemas = new Map(Object.entries(contract))
  return ({ sender, body }) => {
    const schema = schemas.get(sender)
    if (!schema) return
    let issues: string | undefined
    try {
      // Not what was given: a Date in it is a text by now, and that is what pages get.
      issues = findIssues(schema, JSON.parse(body))
    } catch (cause) {
      throw new ChannelError('body_invalid', `The contract of '${sender}' could not be asked.`, { cause })
    }
    if (issues)
      throw new ChannelError('body_invalid', `The body is not what the contract of '${sender}' says: ${issues}`)
  }
}
