// What the packages offer, as reports in git, so that a change of it shows in a review. `--write` brings them up to date.
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const reportFolder = join(root, 'docs/api')
const isWriting = process.argv.includes('--write')

/** By the report's name: the package, and the entry's declarations in it. */
const entries = {
  client: ['client', 'dist/types/index.d.ts'],
  'client-websocket': ['client', 'dist/types/websocket.d.ts'],
  'client-messagepack': ['client', 'dist/types/messagepack.d.ts'],
  'client-development': ['client', 'dist/types/development.d.ts'],
  server: ['server', 'dist/index.d.ts'],
}

mkdirSync(reportFolder, { recursive: true })
let isCurrent = true
for (const [name, [folder, entry]] of Object.entries(entries)) {
  const projectFolder = join(root, 'packages', folder)
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(projectFolder, 'package.json'),
    configObject: {
      projectFolder,
      mainEntryPointFilePath: join(projectFolder, entry),
      compiler: { tsconfigFilePath: join(projectFolder, 'tsconfig.json') },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder,
        reportTempFolder: join(root, 'node_modules/.cache/api'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        // Warnings stand in the report where they count, and else nowhere.
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  })
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: isWriting,
    showVerboseMessages: false,
    messageCallback: (message) => {
      message.handled = true
    },
  })
  if (apiReportChanged && !isWriting) {
    isCurrent = false
    console.error(`docs/api/${name}.api.md is not what the package offers: npm run api, and look at what changed.`)
  }
}
if (!isCurrent) process.exitCode = 1
