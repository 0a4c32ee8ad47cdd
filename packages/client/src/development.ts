export interface Development { watch(channel: object, contract: unknown): void }
