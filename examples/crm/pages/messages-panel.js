/* oxlint-disable typescript/unbound-method -- the scope stands beside the method, as in Creatio */
import { byId, element } from './dom.js'
import { ask } from './requests.js'
import { knownUsers, nameOf } from './user.js'

const SHOWN_MAX = 200

/** Shows every message that reaches this window, newest first, and posts some. */
export const messagesPanel = {
  count: 0,

  init: function () {
    byId('messages-panel').append(
      element(
        'div',
        { className: 'card-head' },
        element('h2', {}, 'Messages'),
        element('span', { id: 'message-count', className: 'quiet' }, '0'),
      ),
      element('ol', { id: 'messages' }),
      element('p', { id: 'no-messages', className: 'quiet' }, 'Nothing yet. What is posted from now on shows here.'),
      createPostForm(),
      element('p', { className: 'quiet hint' }, 'A terminal can join:', element('code', {}, terminalCommand())),
    )
    Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this)
  },

  onServerMessageReceived: function (scope, message) {
    const sender = message.Header.Sender
    this.count++
    byId('message-count').textContent = String(this.count)
    byId('no-messages').hidden = true
    const list = byId('messages')
    list.prepend(
      element(
        'li',
        { dataset: { sender, body: JSON.stringify(message.Body) } },
        element('span', { className: 'sender' }, sender),
        element('time', {}, new Date().toLocaleTimeString('en-GB')),
        element('span', { className: 'body' }, bodyText(message.Body)),
      ),
    )
    if (list.children.length > SHOWN_MAX) list.lastElementChild.remove()
  },

  destroy: function () {
    Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this)
  },
}

/** A string as it came, anything else as JSON with room to break lines. */
function bodyText(body) {
  if (typeof body === 'string') return body
  return JSON.stringify(body, null, 1).replace(/\s*\n\s*/g, ' ')
}

function createPostForm() {
  const sender = element('input', {
    name: 'sender',
    value: 'SomeMessageId',
    required: true,
    maxLength: 256,
    ariaLabel: 'Message id',
  })
  const body = element('input', { name: 'body', value: 'My message value', ariaLabel: 'Value' })
  const to = element('select', { name: 'to', ariaLabel: 'To' }, new Option('to everybody', ''))
  for (const user of knownUsers) to.append(new Option(`to ${nameOf(user)}`, user))
  const outcome = element('output', { id: 'post-outcome', className: 'quiet' })
  const form = element(
    'form',
    { id: 'post-form' },
    sender,
    body,
    to,
    element('button', { type: 'submit' }, 'Post'),
    outcome,
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const audience = to.value ? { to: { users: [to.value] } } : {}
    ask('POST', '/api/messages', { sender: sender.value, body: body.value, ...audience }).then(
      () => (outcome.textContent = ''),
      (error) => (outcome.textContent = error.message),
    )
  })
  return form
}

function terminalCommand() {
  const url = location.port === '8787' ? '' : ` --url ${location.origin}`
  return `npx serverchannel post SomeMessageId "My message value"${url}`
}
