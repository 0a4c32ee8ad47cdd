// A component under StrictMode, which mounts everything twice: nothing may be subscribed twice, or left behind.
import { connect } from '@serverchannel/client'
import { ChannelProvider, useConnectionState, useLatest, useMessage } from '@serverchannel/client/react'
import { createElement as h, StrictMode, useState } from 'react'
import { flushSync } from 'react-dom'
import { createRoot } from 'react-dom/client'

window.handled = []
window.renders = 0

function Orders({ factor }) {
  window.renders++
  useMessage('Number', (body) => window.handled.push(body * factor))
  const latest = useLatest('Number', 'none')
  const state = useConnectionState()
  return h('p', { id: 'orders' }, `${state} ${latest}`)
}

function App() {
  const [props, setProps] = useState({ isShown: true, factor: 1 })
  // Rendered when it returns: React would else take its time.
  window.setProps = (next) => flushSync(() => setProps(next))
  return props.isShown ? h(Orders, { factor: props.factor }) : h('p', { id: 'away' }, 'away')
}

window.channel = connect('/msg')
const root = createRoot(document.getElementById('app'))
root.render(h(StrictMode, null, h(ChannelProvider, { value: window.channel }, h(App))))
