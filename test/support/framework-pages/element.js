import { connect } from '@serverchannel/client'
import { defineServerMessage } from '@serverchannel/client/element'

window.handled = []
const app = document.getElementById('app')
document.addEventListener('server-message', ({ detail }) => window.handled.push(detail.Body))
defineServerMessage({
  open(url) {
    window.channel = connect(url)
    return window.channel
  },
})
app.innerHTML =
  '<server-message id="whole" sender="Number">none</server-message>' +
  '<server-message id="field" sender="Order" field="status.text">none</server-message>'
