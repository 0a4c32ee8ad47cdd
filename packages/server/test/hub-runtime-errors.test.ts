import { describe, expect, it } from 'vitest'
import { createConformanceHub } from './conformance-hub.ts'
import { openRuntime } from './hub-runtime-scene.ts'

const conformance = (detailedErrors = false) => openRuntime(createConformanceHub(detailedErrors))

describe('the error of a call (2.9)', () => {
  it.each([
    [
      'NoSuchMethod',
      [1],
      "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist.",
    ],
    [
      '__proto__',
      [],
      "Failed to invoke '__proto__' due to an error on the server. HubException: Method does not exist.",
    ],
    [
      'constructor',
      [],
      "Failed to invoke 'constructor' due to an error on the server. HubException: Method does not exist.",
    ],
    ['toString', [], "Failed to invoke 'toString' due to an error on the server. HubException: Method does not exist."],
    [
      'OtherName',
      [],
      "Failed to invoke 'OtherName' due to an error on the server. HubException: Method does not exist.",
    ],
    ['Echo', [], "Failed to invoke 'Echo' due to an error on the server."],
    ['Echo', ['a', 'b'], "Failed to invoke 'Echo' due to an error on the server."],
    ['Add', ['a', 'b'], "Failed to invoke 'Add' due to an error on the server."],
    ['Add', [1], "Failed to invoke 'Add' due to an error on the server."],
    ['Add', [1, 2, 3], "Failed to invoke 'Add' due to an error on the server."],
    ['ThrowException', ['x'], "An unexpected error occurred invoking 'ThrowException' on the server."],
    [
      'ThrowHubException',
      ['x'],
      "An unexpected error occurred invoking 'ThrowHubException' on the server. HubException: x",
    ],
    ['Secret', [], "Failed to invoke 'Secret' because user is unauthorized"],
    ['Stream', [], "The client attempted to invoke the streaming 'Stream' method with a non-streaming invocation."],
  ])('of %s(%j) is exactly .NET’s', async (target, args, error) => {
    const { connect } = conformance()
    expect(await connect('a').call(target, ...args)).toEqual([
      JSON.stringify({ type: 3, invocationId: 'call-1', error }),
    ])
  })

  it.each([
    ['Echo', [], /^Failed to invoke 'Echo' due to an error on the server\. ArgumentsError: .*0 argument.*expects 1/],
    ['Add', [1, 'b'], /^Failed to invoke 'Add' due to an error on the server\. ArgumentsError: Argument 2: /],
    [
      'ThrowException',
      ['x'],
      /^An unexpected error occurred invoking 'ThrowException' on the server\. InvalidOperationException: x$/,
    ],
  ])('of %s(%j) has its details where those are wanted', async (target, args, text) => {
    const { connect } = conformance(true)
    const [record = '{}'] = await connect('a').call(target, ...args)
    expect((JSON.parse(record) as { error: string }).error).toMatch(text)
  })

  it.each([
    ['Echo', "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation."],
    ['Nothing', "Failed to invoke 'Nothing' due to an error on the server. HubException: Method does not exist."],
  ])('of streaming %s is exactly .NET’s', async (target, error) => {
    const { connect } = conformance()
    const client = connect('a')
    await client.say({ type: 4, invocationId: '1', target, arguments: ['x'] })
    expect(client.records).toEqual([JSON.stringify({ type: 3, invocationId: '1', error })])
  })

  it.each([
    ['Echo', ['7'], 0],
    ['StreamingConcat', [], 1],
    ['StreamingConcat', ['7', '8'], 1],
  ])('of %s with the streams %j says how many it takes', async (target, streamIds, expected) => {
    const { connect } = conformance()
    const client = connect('a')
    await client.say({ type: 1, invocationId: '1', target, arguments: [], streamIds })
    const error = `An unexpected error occurred invoking '${target}' on the server. HubException: Client sent ${streamIds.length} stream(s), Hub method expects ${expected}.`
    expect(client.records).toEqual([JSON.stringify({ type: 3, invocationId: '1', error })])
  })
})
