import { type Check, expectEqual, expectMatch, required } from './check.ts'
import type { Link } from './link.ts'
import { overAll } from './over-all.ts'
import type { Scene } from './scene.ts'

const failedToInvoke = (target: string): string => `Failed to invoke '${target}' due to an error on the server.`
const threw = (target: string): string => `An unexpected error occurred invoking '${target}' on the server.`

async function expectError(link: Link, error: string, target: string, ...args: readonly unknown[]): Promise<void> {
  const { invocationId, ...completion } = await link.call(target, ...args)
  expectEqual(completion, { type: 3, error }, `answer ${String(invocationId)}`)
}

/** Asks for a stream, and expects this error for its only answer. */
async function expectStreamError(
  link: Link,
  error: string,
  target: string,
  ...args: readonly unknown[]
): Promise<void> {
  const invocationId = link.createId()
  await link.send({ type: 4, invocationId, target, arguments: args })
  await link.expect({ type: 3, invocationId, error })
}

const detail = (scene: Scene, text: string): string => (scene.settings.detailedErrors ? ` ${text}` : '')

/** The texts of errors, word by word. */
export const errorChecks: readonly Check[] = [
  ...overAll(required, '2.9.1', 'says that a method does not exist, to invocations and streams', async (link) => {
    const text = "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist."
    await expectError(link, text, 'NoSuchMethod', 1)
    await expectStreamError(link, text, 'NoSuchMethod')
  }),
  ...overAll(required, '2.9.2', 'says that the number or the types of arguments are wrong', async (link, scene) => {
    const calls = [
      ['Echo', []],
      ['Echo', ['a', 'b']],
      ['Add', ['a', 'b']],
      ['Add', [1.5, 1]],
    ] as const
    for (const [target, args] of calls) {
      const { error } = await link.call(target, ...args)
      const text = failedToInvoke(target).replaceAll('.', '\\.')
      const pattern = new RegExp(scene.settings.detailedErrors ? `^${text} \\w+: .+$` : `^${text}$`)
      expectMatch(typeof error === 'string' ? error : undefined, pattern, `error of ${target}`)
    }
  }),
  ...overAll(required, '2.9.3', 'says that a method threw, and what only with detailed errors', (link, scene) =>
    expectError(
      link,
      threw('ThrowException') + detail(scene, 'InvalidOperationException: An error occurred.'),
      'ThrowException',
      'An error occurred.',
    ),
  ),
  ...overAll(required, '2.9.4', 'gives the text of a HubException', (link) =>
    expectError(
      link,
      `${threw('ThrowHubException')} HubException: An error occurred.`,
      'ThrowHubException',
      'An error occurred.',
    ),
  ),
  ...overAll(required, '2.9.5', 'says that a stream failed in the middle, after its items', async (link, scene) => {
    const invocationId = link.createId()
    await link.send({ type: 4, invocationId, target: 'StreamFailMid', arguments: [] })
    await link.expect({ type: 2, invocationId, item: 'a' })
    const { error, ...completion } = await link.next('the completion of the stream')
    expectEqual(completion, { type: 3, invocationId })
    const text = 'An error occurred on the server while streaming results\\.'
    const pattern = new RegExp(scene.settings.detailedErrors ? `^${text} \\w+: .+$` : `^${text}$`)
    expectMatch(typeof error === 'string' ? error : undefined, pattern)
  }),
  ...overAll(required, '2.9.6', 'says that a method threw before it streamed', (link, scene) =>
    expectStreamError(
      link,
      threw('StreamThrowException') + detail(scene, 'InvalidOperationException: early'),
      'StreamThrowException',
      'early',
    ),
  ),
  ...overAll(required, '2.9.7', 'says that the user is not authorized for a method', (link) =>
    expectError(link, "Failed to invoke 'Secret' because user is unauthorized", 'Secret'),
  ),
  ...overAll(required, '2.9.8', 'says that a streaming method was invoked without streaming', (link) =>
    expectError(
      link,
      "The client attempted to invoke the streaming 'Stream' method with a non-streaming invocation.",
      'Stream',
    ),
  ),
  ...overAll(required, '2.9.9', 'says that a method that does not stream was asked for a stream', (link) =>
    expectStreamError(
      link,
      "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.",
      'Echo',
      '42',
    ),
  ),
  ...overAll(required, '2.9.10', 'says that the id of a stream is in use', async (link) => {
    await link.send({ type: 4, invocationId: 'i', target: 'InfiniteStream', arguments: [] })
    await link.send({ type: 4, invocationId: 'i', target: 'Stream', arguments: [] })
    await link.expect({ type: 3, invocationId: 'i', error: "Invocation ID 'i' is already in use." })
  }),
  ...overAll(required, '2.9.11', 'says that more or fewer streams came than the method takes', async (link) => {
    await link.send({ type: 1, invocationId: 'a', target: 'Echo', arguments: ['x'], streamIds: ['1'] })
    const error = `${threw('Echo')} HubException: Client sent 1 stream(s), Hub method expects 0.`
    await link.expect({ type: 3, invocationId: 'a', error })
    await link.send({ type: 1, invocationId: 'b', target: 'StreamingConcat', arguments: [] })
    const other = `${threw('StreamingConcat')} HubException: Client sent 0 stream(s), Hub method expects 1.`
    await link.expect({ type: 3, invocationId: 'b', error: other })
  }),
  ...overAll(
    required,
    '2.9.12',
    "gives the error of a client's stream to its reader as a HubException",
    async (link) => {
      const invocationId = link.createId()
      await link.send(
        { type: 1, invocationId, target: 'StreamingConcat', arguments: [], streamIds: ['s'] },
        { type: 2, invocationId: 's', item: 'x' },
        { type: 3, invocationId: 's', error: 'Something bad' },
      )
      await link.expect({ type: 3, invocationId, error: `${threw('StreamingConcat')} HubException: Something bad` })
    },
  ),
]
