import { readFile } from 'node:fs/promises'
import { Terrasoft } from 'serverchannel/terrasoft'
import type { Approvals } from './approvals.ts'
import type { Orders } from './orders.ts'
import { Problem } from './problem.ts'
import { json, type Route } from './router.ts'
import { processFile, staticFile } from './static-files.ts'

/** The example's pages, their data, the process and the web service. The channel's own paths are not among them. */
export function createRoutes(orders: Orders, approvals: Approvals): Route[] {
  const requireAtRest = (id: number): void => {
    if (approvals.isOpen(id)) throw new Problem(409, `Order ${id} is in approval; it can be changed afterwards.`)
  }
  return [
    { method: 'GET', path: '/', answer: () => staticFile('orders.html') },
    { method: 'GET', path: '/orders/:id', answer: (call) => (orders.get(call.id('id')), staticFile('order.html')) },
    { method: 'GET', path: '/files/:name', answer: (call) => staticFile(call.param('name')) },
    {
      method: 'GET',
      path: '/process/order-approval.bpmn',
      answer: async () => ({ headers: { 'Content-Type': 'application/xml' }, content: await readFile(processFile) }),
    },
    {
      method: 'GET',
      path: '/api/orders',
      answer: () => json(orders.list().map((order) => ({ ...order, isInApproval: approvals.isOpen(order.id) }))),
    },
    {
      method: 'GET',
      path: '/api/orders/:id',
      answer: (call) => json({ ...orders.get(call.id('id')), approval: approvals.state(call.id('id')) }),
    },
    {
      method: 'PUT',
      path: '/orders/:id/lines/:line',
      async answer(call) {
        const { quantity } = await call.body()
        requireAtRest(call.id('id'))
        const order = orders.setQuantity(call.id('id'), call.id('line'), Number(quantity))
        postOrderChanged(order.id)
        return json(order)
      },
    },
    {
      method: 'POST',
      path: '/orders/:id/approval',
      answer: async (call) => json(await approvals.start(call.id('id'), call.user()), 202),
    },
    {
      method: 'POST',
      path: '/orders/:id/approval/approve',
      answer: (call) => json(approvals.approve(call.id('id'), call.user()), 202),
    },
    {
      method: 'POST',
      path: '/orders/:id/reopen',
      answer(call) {
        requireAtRest(call.id('id'))
        const order = orders.reopen(call.id('id'))
        postOrderChanged(order.id)
        return json(order)
      },
    },
    {
      method: 'POST',
      path: '/rest/OrderService/Recalculate',
      answer() {
        const ids = orders.recalculate()
        // A list goes out as a list; a page uses it as an array.
        Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll('OrdersRecalculated', ids)
        return json({ recalculated: ids })
      },
    },
  ]
}

function postOrderChanged(id: number): void {
  Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll('OrderChanged', { id })
}
