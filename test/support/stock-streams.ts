import { expect } from 'vitest'
import type { Scenario } from './stock-scene.ts'

const STREAM_FAILED = 'An error occurred on the server while streaming results.'

/** Streams from the server and to it. */
export const streamScenarios: readonly Scenario[] = [
  {
    name: 'gets streams: items, none, and those that fail',
    async run({ open }) {
      const client = await open()
      expect(await client.stream('Stream')).toEqual({ items: ['a', 'b', 'c'] })
      expect(await client.stream('EmptyStream')).toEqual({ items: [] })
      expect(await client.stream('StreamFailMid')).toEqual({ items: ['a'], error: STREAM_FAILED })
      expect(await client.stream('StreamThrowException', 'secret')).toEqual({
        items: [],
        error: "An unexpected error occurred invoking 'StreamThrowException' on the server.",
      })
      expect(await client.stream('NoSuchStream')).toEqual({
        items: [],
        error: "Failed to invoke 'NoSuchStream' due to an error on the server. HubException: Method does not exist.",
      })
      expect(await client.stream('Echo', '42')).toEqual({
        items: [],
        error: "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.",
      })
    },
  },
  {
    name: 'cancels a stream, and the server knows; other calls go on meanwhile',
    async run({ open }) {
      const client = await open()
      await client.cancelStream('InfiniteStream')
      expect(await client.calls('StreamCanceled', 1)).toEqual([[]])
      expect(await client.invoke('Echo', 'on')).toEqual({ value: 'on' })
    },
  },
  {
    name: 'sends streams: items, none, more than the server holds, and one that fails',
    async run({ open }) {
      const client = await open()
      expect(await client.upload('StreamingConcat', ['Hello ', 'world 😀'])).toEqual({ value: 'Hello world 😀' })
      expect(await client.upload('StreamingConcat', [])).toEqual({ value: '' })
      const items = Array.from({ length: 50 }, (_, n) => `${n},`)
      expect(await client.upload('StreamingConcat', items)).toEqual({ value: items.join('') })
      expect(await client.upload('StreamingConcat', ['x'], 'Something bad')).toEqual({
        error: expect.stringMatching(
          // Up to version 8 its own words stand before those of the error.
          /^An unexpected error occurred invoking 'StreamingConcat' on the server\. HubException: .*Something bad$/,
        ) as string,
      })
    },
  },
  {
    name: 'sends a stream to a method that takes none',
    async run({ open }) {
      const client = await open()
      expect(await client.upload('VoidMethod', [])).toEqual({
        error:
          "An unexpected error occurred invoking 'VoidMethod' on the server. HubException: Client sent 1 stream(s), Hub method expects 0.",
      })
    },
  },
]
