import { describe, expect, it } from 'vitest'
import { parseNatsAddress } from '../src/stores/nats-address.ts'
import { openStore, withoutPassword } from '../src/stores/open-store.ts'
import { parseRedisAddress, RedisKeys } from '../src/stores/redis-address.ts'
import { ENGINE_BOUNDS } from './engine-bounds.ts'
import { UNBOUNDED } from './store-contract.ts'

describe('the address of a Redis store', () => {
  it('is that of a server, with what it leaves out', () => {
    expect(parseRedisAddress('redis://localhost')).toEqual({
      kind: 'standalone',
      hosts: [{ host: 'localhost', port: 6379 }],
      isEncrypted: false,
      user: undefined,
      password: undefined,
      masterName: undefined,
      sentinelPassword: undefined,
      database: 0,
      channel: 'main',
      replicas: 0,
      replicasTimeoutMs: 1000,
    })
  })

  it('has all that there is to say', () => {
    const address = 'rediss://me:p%40ss@[::1]:7000/3?channel=a%20b&replicas=2&replicasTimeoutMs=50'
    expect(parseRedisAddress(address)).toMatchObject({
      hosts: [{ host: '::1', port: 7000 }],
      isEncrypted: true,
      user: 'me',
      password: 'p@ss',
      database: 3,
      channel: 'a b',
      replicas: 2,
      replicasTimeoutMs: 50,
    })
  })

  it('is that of sentinels, or of a cluster', () => {
    expect(parseRedisAddress('redis+sentinel://:pw@a,b:7/mymaster/2?sentinelPassword=s')).toMatchObject({
      kind: 'sentinel',
      hosts: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 7 },
      ],
      user: undefined,
      password: 'pw',
      masterName: 'mymaster',
      sentinelPassword: 's',
      database: 2,
    })
    expect(parseRedisAddress('redis+cluster://a,b')).toMatchObject({
      kind: 'cluster',
      hosts: [
        { host: 'a', port: 6379 },
        { host: 'b', port: 6379 },
      ],
    })
  })

  it.each([
    ['redis://', /is none.*redis:\/\//],
    ['redis://a,b', /redis\+sentinel: or redis\+cluster:/],
    ['redis://a/x', /database.*from 0/],
    ['redis://a/0/1', /too long a path/],
    ['redis://a:0', /port.*from 1 to 65535/],
    ['redis://a?chanel=x', /no parameter 'chanel'; there are: channel/],
    ['redis://a?replicas=-1', /replicas.*from 0/],
    ['redis://u:secret%@a', /a % itself is %25/],
    ['redis+sentinel://a', /names no master/],
    ['redis+cluster://a/1', /database 0 only/],
    ['redis+cluster://a?replicas=1', /min-replicas-to-write/],
  ])('%s is refused, in words', (address, words) => {
    expect(() => parseRedisAddress(address)).toThrow(TypeError)
    expect(() => parseRedisAddress(address)).toThrow(words)
    expect(() => parseRedisAddress(address)).not.toThrow(/secret/)
  })

  it('makes keys of one hash tag, which no name can leave', () => {
    const names = ['a', 'A', 'a}b', '{a}', '', '*', 'é', 'a:log', 'x'.repeat(300)]
    const prefixes = names.map((name) => {
      const keys = new RedisKeys(name)
      const all = [keys.meta, keys.ids, keys.signals, keys.log('e'), keys.node('n')]
      const tags = new Set(all.map((key) => /^serverchannel:\{([\w-]*)\}:/.exec(key)?.[1]))
      expect(tags.size).toBe(1)
      return [...tags][0]
    })
    expect(new Set(prefixes).size).toBe(names.length)
  })
})

describe('the address of a NATS store', () => {
  it('is that of servers, with what it leaves out', () => {
    expect(parseNatsAddress('nats://u:p@a,b:5?replicas=3')).toEqual({
      hosts: [
        { host: 'a', port: 4222 },
        { host: 'b', port: 5 },
      ],
      isEncrypted: false,
      user: 'u',
      password: 'p',
      token: undefined,
      stream: 'SERVERCHANNEL_6d61696e',
      logSubject: 'serverchannel.6d61696e.log',
      signalSubject: 'serverchannel.6d61696e.signals',
      replicas: 3,
      storage: 'file',
      isSynced: false,
    })
    expect(parseNatsAddress('tls://a?token=t&sync=always&storage=memory')).toMatchObject({
      isEncrypted: true,
      token: 't',
      isSynced: true,
      storage: 'memory',
    })
  })

  it.each([
    ['nats://', /is none/],
    ['nats://a/x', /has a path/],
    ['nats://a?storage=disk', /'file' or 'memory', not 'disk'/],
    ['nats://a?sync=yes', /'always' or left out/],
    ['nats://a?replicas=0', /replicas.*from 1 to 5/],
    [`nats://a?channel=${'x'.repeat(101)}`, /1 to 100 bytes/],
  ])('%s is refused, in words', (address, words) => {
    expect(() => parseNatsAddress(address)).toThrow(words)
  })

  it('makes names that no wildcard or separator gets into', () => {
    for (const channel of ['a.b', '*', '>', ' ', '\r\n', 'é', 'A', 'a']) {
      const { stream, logSubject } = parseNatsAddress(`nats://a?channel=${encodeURIComponent(channel)}`)
      expect(stream).toMatch(/^SERVERCHANNEL_[\da-f]+$/)
      expect(logSubject).toMatch(/^serverchannel\.[\da-f]+\.log$/)
    }
  })
})

describe('opening a store by its address', () => {
  it.each(['redis://a', 'rediss://a', 'redis+sentinel://a/m', 'redis+cluster://a', 'nats://a', 'tls://a'])(
    'knows %s',
    async (address) => {
      const store = await openStore(address, { ...UNBOUNDED, ...ENGINE_BOUNDS })
      expect(store.trouble).toContain('is not open')
      await store.close()
    },
  )

  it('says no password', () => {
    expect(withoutPassword('redis+sentinel://me:secret@a,b/m')).toBe('redis+sentinel://me:***@a,b/m')
    expect(withoutPassword('redis://a?sentinelPassword=x&channel=c')).toBe('redis://a?sentinelPassword=***&channel=c')
    expect(withoutPassword('nats://a?token=x')).toBe('nats://a?token=***')
  })
})
