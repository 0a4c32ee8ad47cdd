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

const script = (entry: Record<string, string>): UserConfig => ({
  ...common,
  entry,
  format: 'iife',
  minify: true,
  outputOptions: { entryFileNames: '[name].js' },
})

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
      'terrasoft-bridge': 'src/terrasoft-bridge.ts',
      'terrasoft-sdk': 'src/terrasoft-sdk.ts',
      react: 'src/frameworks/react.ts',
      vue: 'src/frameworks/vue.ts',
      svelte: 'src/frameworks/svelte.ts',
      angular: 'src/frameworks/angular.ts',
      element: 'src/frameworks/element.ts',
    },
    format: 'esm',
    hash: false,
    sourcemap: true,
    outExtensions: () => ({ js: '.js' }),
  },
  {
    // By themselves: what pages load must not be cut into pieces for what only tests and tools share with it.
    ...common,
    entry: { testing: 'src/testing.ts', eslint: 'src/eslint.ts' },
    format: 'esm',
    hash: false,
    sourcemap: true,
    outExtensions: () => ({ js: '.js' }),
  },
  script({ 'shared-worker': 'src/shared-worker.ts' }),
  script({ serverchannel: 'src/script.ts' }),
  script({ 'serverchannel-creatio': 'src/script-creatio.ts' }),
])
