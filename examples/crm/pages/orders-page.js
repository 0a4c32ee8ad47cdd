/* oxlint-disable typescript/unbound-method -- the scope stands beside the method, as in Creatio */
import { byId, element, flash, money } from './dom.js'
import { createRefresh } from './refresh.js'
import { ask } from './requests.js'
import { onClick, shell } from './shell.js'
import { nameOf } from './user.js'

/** The list of orders. It listens from `init` to `destroy`, and refreshes when the server says that something changed. */
const page = {
  /** How often the handler ran, by sender. */
  counts: new Map(),

  init: function () {
    // biome-ignore format: as in Creatio
    Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this);
    this.refresh()
  },

  // biome-ignore format: as in Creatio
  onServerMessageReceived: function(scope, message) {
    var sender = message && message.Header.Sender;
    this.counts.set(sender, (this.counts.get(sender) ?? 0) + 1);
    if (sender === "OrderApproved" || sender === "OrderChanged" || sender === "ProcessEnded") {
      this.refresh();
    }
    if (sender === "OrdersRecalculated" && Array.isArray(message.Body)) {
      var ids = message.Body;
      ids.forEach((id) => this.recalculated.add(id));
      this.refresh();
    }
    if (sender === "ProcessStep" && message.Body) {
      this.showStep(message.Body);
    }
  },

  destroy: function () {
    // biome-ignore format: as in Creatio
    Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this);
  },

  refresh: createRefresh(() => page.load()),

  /** Ids of which the web service said that it has been over them, until they are shown. */
  recalculated: new Set(),

  load: async function () {
    const orders = await ask('GET', '/api/orders')
    byId('orders').replaceChildren(...orders.map(createRow))
    for (const id of this.recalculated) {
      const row = rowOf(id)
      if (row) flash(row)
    }
    this.recalculated.clear()
  },

  showStep: function ({ orderId, name, state }) {
    const status = rowOf(orderId)?.querySelector('.status')
    if (!status || state === 'done') return
    showStatus(
      status,
      state === 'waiting' ? 'pill-waiting' : 'pill-active',
      state === 'waiting' ? 'Waits for approval' : name,
    )
  },
}

function createRow({ id, customer, owner, status, totalCents, isInApproval }) {
  const pill = element('span', { className: 'status' })
  if (isInApproval) showStatus(pill, 'pill-active', 'In approval')
  else showStatus(pill, status === 'Approved' ? 'pill-done' : '', status)
  const link = element('a', { href: `/orders/${id}` }, customer)
  return element(
    'tr',
    { dataset: { orderId: id, status } },
    element('td', { className: 'number quiet' }, String(id)),
    element('td', {}, link),
    element('td', {}, nameOf(owner)),
    element('td', {}, pill),
    element('td', { className: 'number total' }, money(totalCents)),
  )
}

function showStatus(pill, kind, text) {
  pill.className = `status pill ${kind}`
  pill.textContent = text
}

function rowOf(orderId) {
  return document.querySelector(`tr[data-order-id="${Number(orderId)}"]`)
}

onClick('recalculate', () => ask('POST', '/rest/OrderService/Recalculate'))
window.page = page
shell.init(() => page.refresh())
page.init()
