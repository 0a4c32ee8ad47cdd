import { mount } from 'svelte'
import App from './App.svelte'

window.handled = []
mount(App, { target: document.getElementById('app') })
