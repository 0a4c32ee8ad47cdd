import { describe, expect, it } from 'vitest'
import { createServerChannel, type NodesOptions } from '../src/index.ts'

const SECRET = 'x'.repeat(32)
const URLS = { a: 'http://10.0.0.1:8787', b: 'https://b.example.com' }

const create = (nodes: unknown) => createServerChannel({ nodes: nodes as NodesOptions })

describe('the option nodes', () => {
  it.each([
    ['a short secret', { self: 'a', secret: 'x'.repeat(31), urls: URLS }, 'has fewer than 32 characters'],
    ['no secret', { self: 'a', urls: URLS }, 'has fewer than 32 characters'],
    [
      'an unknown self',
      { self: 'c', secret: SECRET, urls: URLS },
      "no address for 'c', which this node is; it has: a, b.",
    ],
    ['no self', { secret: SECRET, urls: URLS }, "no address for 'undefined'"],
    ['no addresses', { self: 'a', secret: SECRET, urls: {} }, "no address for 'a'"],
    ['an address that is none', { self: 'a', secret: SECRET, urls: { a: '10.0.0.1:8787' } }, "it is '10.0.0.1:8787'"],
    ['another scheme', { self: 'a', secret: SECRET, urls: { a: 'ws://10.0.0.1' } }, 'needs to be like'],
    ['a path', { self: 'a', secret: SECRET, urls: { a: 'http://10.0.0.1/x' } }, 'without a path'],
    ['a query', { self: 'a', secret: SECRET, urls: { a: 'http://10.0.0.1/?x' } }, 'without a path'],
    ['credentials', { self: 'a', secret: SECRET, urls: { a: 'http://u:p@10.0.0.1' } }, 'needs to be like'],
    ['a number', { self: 'a', secret: SECRET, urls: { a: 8787 } }, 'needs to be like'],
    ['a name with a space', { self: 'a b', secret: SECRET, urls: { 'a b': URLS.a } }, "'a b' is none"],
    ['a long name', { self: 'a', secret: SECRET, urls: { ['a'.repeat(33)]: URLS.a } }, 'is none'],
  ])('says what is wrong with %s', async (_, nodes, message) => {
    await expect(create(nodes)).rejects.toThrow(TypeError)
    await expect(create(nodes)).rejects.toThrow(message)
  })

  it('says nothing of the secret', async () => {
    const secret = 'short but secret'
    await expect(create({ self: 'a', secret, urls: URLS })).rejects.not.toThrow(secret)
  })

  it.each(['http://10.0.0.1:80', 'http://10.0.0.1/', 'http://[::1]:8787', 'https://Example.COM'])(
    'takes the address %s',
    async (url) => {
      const channel = await create({ self: '__proto__', secret: SECRET, urls: { ...URLS, ['__proto__']: url } })
      await channel.close()
    },
  )
})
