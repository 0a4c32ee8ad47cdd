export { messagePackCodec } from './messagepack-codec.ts'
