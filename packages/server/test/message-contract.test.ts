import { createServerChannel, defineMessages } from 'serverchannel'
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'

const messages = defineMessages({
  OrderChanged: z.object({ id: z.number(), at: z.iso.datetime().optional() }),
  Slow: z.string().refine(async (text) => Promise.resolve(text !== '')),
})

const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const channel of opened.splice(0)) await channel.close()
})

async function open() {
  const channel = await createServerChannel({ messages })
  opened.push(channel)
  return channel
}

describe('a contract', () => {
  it('lets pass what is by it, and senders that it does not name', async () => {
    const channel = await open()
    await channel.postMessageToAll('OrderChanged', { id: 42 })
    await channel.postMessage('anna', 'OrderChanged', { id: 42 })
    expect((await channel.postMessageToAll('Other', ['anything'])).position).toMatch(/:3$/)
  })

  it('refuses what is not, says where, and posts nothing of it', async () => {
    const channel = await open()
    // @ts-expect-error the id is no text
    await expect(channel.postMessageToAll('OrderChanged', { id: '42' })).rejects.toMatchObject({
      code: 'body_invalid',
      status: 400,
      message: expect.stringContaining('OrderChanged') as string,
    })
    // @ts-expect-error the id is missing
    await expect(channel.post({ sender: 'OrderChanged', body: {} })).rejects.toThrow(/id: /)
    await expect(channel.post({ sender: 'OrderChanged', body: undefined })).rejects.toMatchObject({
      code: 'body_invalid',
    })
    expect(channel.position).toMatch(/:0$/)
  })

  it('looks at bodies as pages will see them', async () => {
    const channel = await open()
    const at = new Date(0)
    // @ts-expect-error a Date is a text in a page, and as JSON it is one
    await channel.postMessageToAll('OrderChanged', { id: 1, at })
  })

  it('refuses a schema that answers with a promise', async () => {
    const channel = await open()
    await expect(channel.postMessageToAll('Slow', 'x')).rejects.toMatchObject({ code: 'body_invalid' })
  })

  it('is refused where it is none', () => {
    // @ts-expect-error no schema
    expect(() => defineMessages({ OrderChanged: {} })).toThrow(/'OrderChanged' is no Standard Schema/)
  })

  it('types what is posted', async () => {
    const channel = await open()
    expectTypeOf(channel.postMessageToAll<'OrderChanged'>)
      .parameter(1)
      .toEqualTypeOf<{ id: number; at?: string | undefined } | undefined>()
    expectTypeOf(channel.postMessageToAll<'Other'>)
      .parameter(1)
      .toEqualTypeOf<unknown>()
  })
})
