import { createEnvironmentInjector, type EnvironmentInjector, Injector, runInInjectionContext } from '@angular/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  injectChannel,
  injectConnectionState,
  injectLatest,
  injectMessage,
  provideChannel,
} from '../src/frameworks/angular.ts'
import { createTestServer, type TestServer } from '../src/testing.ts'

let server: TestServer
let injector: EnvironmentInjector

beforeEach(() => {
  server = createTestServer()
  const parent = Injector.create({ providers: [] }) as EnvironmentInjector
  injector = createEnvironmentInjector([provideChannel(server.connect())], parent)
})

afterEach(() => {
  try {
    injector.destroy()
  } catch {
    // The test did it.
  }
})

describe('Angular', () => {
  it('calls a handler until its injector is destroyed', async () => {
    const got: unknown[] = []
    runInInjectionContext(injector, () =>
      injectMessage<number>('Number', (body, { Header }) => got.push([Header.Sender, body])),
    )
    await server.post('Number', 1)
    await server.post('Another', 2)
    injector.destroy()
    await server.post('Number', 3)
    expect(got).toEqual([['Number', 1]])
  })

  it('has the newest body as a signal', async () => {
    const latest = runInInjectionContext(injector, () => injectLatest('Number', 0))
    expect(latest()).toBe(0)
    await server.post('Number', 1)
    await server.post('Number', 2)
    expect(latest()).toBe(2)
    injector.destroy()
    await server.post('Number', 3)
    expect(latest()).toBe(2)
  })

  it('has the state of the connection as a signal', async () => {
    const state = runInInjectionContext(injector, () => injectConnectionState())
    await server.settle()
    expect(state()).toBe('open')
    server.drop()
    expect(state()).toBe('reconnecting')
  })

  it('takes a channel that it is given, and says where one is missing', () => {
    const channel = server.connect()
    expect(runInInjectionContext(injector, () => injectChannel({ channel }))).toBe(channel)
    const bare = createEnvironmentInjector([], Injector.create({ providers: [] }) as EnvironmentInjector)
    expect(() => runInInjectionContext(bare, () => injectChannel())).toThrow('provideChannel(channel)')
    bare.destroy()
  })
})
