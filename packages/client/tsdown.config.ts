import { defineConfig, type UserConfig } from 'tsdown'

const common = {
  outDir: 'dist',
  // The compiler's declarations and its build information live in dist too.
  clean: false,
  dts: false,
  platform: 'browser',
  target: 'es2022',
  deps: { alwaysBundle: ['@serverchannel/protocol'] },
} satisfies UserConfig

export default defineConfig([
  {
    ...common,
    entry: {
      index: 'src/index.ts',
      terrasoft: 'src/terrasoft.ts',
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
  {
    ...common,
    entry: { serverchannel: 'src/script.ts' },
    format: 'iife',
    minify: true,
    outputOptions: { entryFileNames: 'serverchannel.js' },
  },
])
