import { describe, expect, it } from 'vitest'
import { readScriptSettings } from '../src/script-settings.ts'

describe('the script tag', () => {
  it.each([
    ['http://host.test/msg/serverchannel.js', 'http://host.test/msg'],
    ['https://host.test:8443/a/b/msg/serverchannel.js?v=1#x', 'https://host.test:8443/a/b/msg'],
    ['http://host.test/serverchannel.js', '/msg'],
    ['http://host.test/assets/bundle.js', '/msg'],
    ['http://host.test/msg/other-serverchannel.js', '/msg'],
    ['file:///home/ann/serverchannel.js', '/msg'],
    ['', '/msg'],
  ])('from %j leads to the hub %s', (src, url) => {
    expect(readScriptSettings({ src, dataset: {} })).toEqual({ url, name: 'Terrasoft', user: undefined })
  })

  it('may name the hub, the global and the user', () => {
    const dataset = { url: '/hub', global: 'BPMSoft', user: 'ann' }
    expect(readScriptSettings({ src: 'http://host.test/msg/serverchannel.js', dataset })).toEqual({
      url: '/hub',
      name: 'BPMSoft',
      user: 'ann',
    })
  })

  it('may be none', () => {
    expect(readScriptSettings(undefined)).toEqual({ url: '/msg', name: 'Terrasoft', user: undefined })
  })
})
