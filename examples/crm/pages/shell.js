/* oxlint-disable typescript/unbound-method -- the scope stands beside the method, as in Creatio */
import { byId, element } from './dom.js'
import { messagesPanel } from './messages-panel.js'
import { createUserPicker, currentUser } from './user.js'

/** What both pages have around them: the connection's state, who one is, notices, the messages. */
export const shell = {
  /** `onOpened` runs whenever the channel is open anew: a page loads what it shows, whatever it may have missed. */
  init: function (onOpened) {
    this.onOpenedPage = onOpened
    // In development mode a page says who its user is. The first handler would connect it as nobody in particular.
    Terrasoft.ServerChannel.init({ user: currentUser })
    byId('header').append(
      element(
        'a',
        { href: '/', className: 'brand' },
        element('img', { src: '/files/icon.svg', alt: '' }),
        'ServerChannel',
      ),
      element('span', { id: 'connection-state', className: 'pill', dataset: { state: 'connecting' } }, 'Connecting'),
      element('label', { className: 'user' }, 'You are ', createUserPicker()),
    )
    messagesPanel.init()
    Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_CONNECTION_INITIALIZED, this.onOpened, this)
    Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_CHANNEL_CLOSED, this.onClosed, this)
  },

  onOpened: function (scope, { recovered, reason }) {
    showState('opened', 'Live')
    if (recovered === false) {
      this.notify(`Some messages were lost while this page was away (${reason}): reloaded.`)
    }
    this.onOpenedPage()
  },

  onClosed: function (scope, { reconnects }) {
    showState('closed', reconnects ? 'Away, reconnecting' : 'Closed by the server')
  },

  /** Says something at the top of the page, until the next thing is said. */
  notify: function (text) {
    const notice = byId('notice')
    notice.hidden = text === ''
    notice.textContent = text
  },

  destroy: function () {
    Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_CONNECTION_INITIALIZED, this.onOpened, this)
    Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_CHANNEL_CLOSED, this.onClosed, this)
    messagesPanel.destroy()
  },
}

/** Has a button do something, and says what went wrong with it. */
export function onClick(id, action) {
  byId(id).addEventListener('click', () => run(action))
}

/** Does it, and says what went wrong with it. */
export function run(action) {
  shell.notify('')
  action().catch((error) => shell.notify(error.message))
}

function showState(state, text) {
  const shown = byId('connection-state')
  shown.dataset.state = state
  shown.textContent = text
}
