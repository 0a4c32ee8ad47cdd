import { defineConfig, type UserConfig } from 'tsdown'

const common = {
  outDir: 'dist',
  // The compiler's declarations and its build information live in dist too.
  clean: false,
  dts: false,
  platform: 'browser',
  target: 'es2022',
  deps: { alwaysBundle: [/^@serverchannel\/protocol/, '@msgpack/msgpack'] },
} satisfies UserConfig

export default defineConfig([
  {
    ...common,
    entry: {
      index: 'src/index.ts',
      websocket: 'src/websocket.ts',
      tabs: 'src/tabs.ts',
      messagepack: 'src/messagepack.ts',
      development: 'src/development.ts',
      terrasoft: 'src/terrasoft.ts',
    },
    format: 'esm',
    hash: false,
    sourcemap: true,
    outExtensions: () => ({ js: '.js' }),
  },
  {
    ...common,
    entry: { 'shared-worker': 'src/shared-worker.ts' },
    format: 'iife',
    minify: true,
    outputOptions: { entryFileNames: 'shared-worker.js' },
  },
  {
    ...common,
    entry: { serverchannel: 'src/script.ts' },
    format: 'iife',
    minify: true,
    outputOptions: { entryFileNames: 'serverchannel.js' },
  },
])
