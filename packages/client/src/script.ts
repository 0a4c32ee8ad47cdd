// The build for `<script src="/msg/serverchannel.js">`.
import { startScript } from './script-start.ts'

startScript()
