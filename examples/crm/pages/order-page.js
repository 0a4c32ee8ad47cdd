/* oxlint-disable typescript/unbound-method -- the scope stands beside the method, as in Creatio */
import { createDiagram } from './diagram.js'
import { byId, element, flash, money } from './dom.js'
import { createRefresh } from './refresh.js'
import { ask } from './requests.js'
import { onClick, run, shell } from './shell.js'
import { currentUser, nameOf } from './user.js'

const orderId = Number(location.pathname.split('/').pop())
const asUser = `?user=${encodeURIComponent(currentUser)}`

/** One order and its approval. It listens from `init` to `destroy`. */
const page = {
  /** How often the handler ran, by sender. */
  counts: new Map(),
  order: undefined,
  diagram: undefined,

  init: function () {
    // biome-ignore format: as in Creatio
    Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this);
    this.refresh()
  },

  // biome-ignore format: as in Creatio
  onServerMessageReceived: function(scope, message) {
    var sender = message && message.Header.Sender;
    this.counts.set(sender, (this.counts.get(sender) ?? 0) + 1);
    var value = message.Body;
    if (sender === "OrderApproved" && value?.id === orderId) {
      // The process has changed this order.
      this.refresh();
    }
    if (sender === "OrderChanged" && value?.id === orderId) {
      this.refresh();
    }
    if (sender === "OrdersRecalculated" && Array.isArray(value) && value.includes(orderId)) {
      flash(byId('order-total'));
      this.refresh();
    }
    if (sender === "ProcessStep" && value?.orderId === orderId) {
      this.onStep(value);
    }
    if (sender === "ProcessEnded" && value?.orderId === orderId) {
      this.refresh();
    }
  },

  destroy: function () {
    // biome-ignore format: as in Creatio
    Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this);
  },

  refresh: createRefresh(() => page.load()),

  load: async function () {
    this.diagram ??= await createDiagram(byId('diagram'))
    const order = await ask('GET', `/api/orders/${orderId}`)
    const shown = this.order?.approval
    // Steps that came by message while the answer was on its way are newer than the answer.
    if (shown && shown.run === order.approval?.run && shown.step > order.approval.step) order.approval = shown
    this.order = order
    this.show()
  },

  /** Goes on from what is shown, by the one next step; from anywhere else the server's state is where to begin. */
  onStep: function (step) {
    const approval = this.order?.approval
    if (approval?.run === step.run && step.step <= approval.step) return
    if (approval?.run !== step.run || step.step !== approval.step + 1) {
      this.refresh()
      return
    }
    approval.step = step.step
    approval.steps = [...approval.steps.filter(({ activity }) => activity !== step.activity), step]
    approval.status = step.state === 'waiting' ? 'waiting' : 'running'
    this.show()
  },

  show: function () {
    const { customer, owner, status, totalCents, approvedBy, approval, lines } = this.order
    const isOpen = approval?.status === 'running' || approval?.status === 'waiting'
    document.title = `Order ${orderId}, ${customer}`
    byId('order').dataset.status = status
    byId('order').dataset.process = approval?.status ?? 'none'
    byId('order-title').replaceChildren(`Order ${orderId} `, statusPill(status, isOpen, approval))
    byId('order-facts').textContent = [
      customer,
      `owner ${nameOf(owner)}`,
      `${money(totalCents)} EUR`,
      ...(approvedBy ? [`approved by ${nameOf(approvedBy)}`] : []),
    ].join(' · ')
    byId('start-process').hidden = status === 'Approved' || isOpen
    byId('approve').hidden = approval?.status !== 'waiting'
    byId('reopen').hidden = status !== 'Approved' || isOpen
    byId('process-state').textContent = processText(status, approval)
    this.diagram?.show(approval?.steps ?? [], approval?.status)
    this.showLines(lines, totalCents, status === 'Draft' && !isOpen)
  },

  showLines: function (lines, totalCents, isEditable) {
    byId('lines').replaceChildren(...lines.map((line) => this.createLine(line, isEditable)))
    byId('order-total').textContent = money(totalCents)
    byId('total-stale').hidden = lines.reduce((sum, line) => sum + line.quantity * line.priceCents, 0) === totalCents
  },

  createLine: function ({ line, product, quantity, priceCents }, isEditable) {
    const change = (by, text, label) => {
      const button = element('button', { type: 'button', className: 'step', ariaLabel: `${label}: ${product}` }, text)
      button.disabled = !isEditable || quantity + by < 1
      button.addEventListener('click', () =>
        run(() => ask('PUT', `/orders/${orderId}/lines/${line}`, { quantity: quantity + by })),
      )
      return button
    }
    return element(
      'tr',
      { dataset: { line } },
      element('td', {}, product),
      element(
        'td',
        { className: 'number quantity' },
        change(-1, '−', 'One less'),
        element('span', {}, String(quantity)),
        change(1, '+', 'One more'),
      ),
      element('td', { className: 'number' }, money(priceCents)),
      element('td', { className: 'number' }, money(quantity * priceCents)),
    )
  },
}

function statusPill(status, isOpen, approval) {
  if (approval?.status === 'waiting') return element('span', { className: 'pill pill-waiting' }, 'Waits for approval')
  if (isOpen) return element('span', { className: 'pill pill-active' }, 'In approval')
  return element('span', { className: `pill ${status === 'Approved' ? 'pill-done' : ''}` }, status)
}

function processText(status, approval) {
  if (!approval && status === 'Approved') return 'The process has ended.'
  if (!approval)
    return 'The process has not been started. A large order waits for a person, a small one goes straight through.'
  const by = `Started by ${nameOf(approval.startedBy)}`
  switch (approval.status) {
    case 'waiting':
      return `${by}; waits for somebody to approve, in any window.`
    case 'ended':
      return `${by}; the process has ended.`
    case 'failed':
      return `${by}; the process failed: ${approval.failure}`
    default:
      return `${by}: ${approval.steps.find(({ state }) => state === 'active')?.name ?? 'under way'} …`
  }
}

byId('order').dataset.orderId = String(orderId)
onClick('start-process', () => ask('POST', `/orders/${orderId}/approval${asUser}`))
onClick('approve', () => ask('POST', `/orders/${orderId}/approval/approve${asUser}`))
onClick('reopen', () => ask('POST', `/orders/${orderId}/reopen`))
onClick('recalculate', () => ask('POST', '/rest/OrderService/Recalculate'))
window.page = page
shell.init(() => page.refresh())
page.init()
