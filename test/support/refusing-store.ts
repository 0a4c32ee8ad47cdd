import { ChannelError } from 'serverchannel'
import type { Draft } from '../../packages/server/src/channel/entry.ts'
import type { Appended } from '../../packages/server/src/channel/store.ts'
import { MemoryStore } from '../../packages/server/src/stores/memory.ts'

/** A log in memory that never takes messages of the sender `Poison`, and that can stop before it answers. */
export class RefusingStore extends MemoryStore {
  /** Sizes of what it was asked to append. */
  readonly appends: number[] = []
  /** Called when something is in the log and nobody knows yet. */
  onAppended: () => Promise<void> = () => Promise.resolve()

  constructor() {
    super({
      epoch: 'refusing',
      historyCountMax: 1_000_000,
      historyBytesMax: 1_000_000_000,
      historyAgeMaxMs: 86_400_000,
      now: () => Date.now(),
    })
  }

  override async append(drafts: readonly Draft[]): Promise<Appended> {
    this.appends.push(drafts.length)
    if (drafts.some(({ sender }) => sender === 'Poison')) {
      throw new ChannelError('message_invalid', 'This log takes no poison.')
    }
    const appended = await super.append(drafts)
    await this.onAppended()
    return appended
  }
}
