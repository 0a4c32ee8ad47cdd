import { connect } from '@serverchannel/client'
import { serverChannel, useConnectionState, useLatest, useMessage } from '@serverchannel/client/vue'
import { createApp, h, reactive } from 'vue'

window.handled = []
const props = reactive({ isShown: true, factor: 1 })
window.setProps = (given) => Object.assign(props, given)

const Orders = {
  props: ['factor'],
  setup(own) {
    useMessage('Number', (body) => window.handled.push(body * own.factor))
    const latest = useLatest('Number', 'none')
    const state = useConnectionState()
    return () => h('p', { id: 'orders' }, `${state.value} ${latest.value}`)
  },
}

const App = { render: () => (props.isShown ? h(Orders, { factor: props.factor }) : h('p', { id: 'away' }, 'away')) }

window.channel = connect('/msg')
createApp(App).use(serverChannel(window.channel)).mount('#app')
