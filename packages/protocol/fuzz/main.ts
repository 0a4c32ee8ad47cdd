import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createRandom } from '../test/random.ts'
import { BlockCoverage } from './block-coverage.ts'
import { readCorpus, writeCorpus } from './corpus.ts'
import { type Failure, Fuzzer, type Judge } from './fuzzer.ts'
import { minimise } from './minimise.ts'
import type { CodecName } from './oracle.ts'

const REPORT_MS = 10_000
const USAGE = `Usage: npm run fuzz -- --codec json|messagepack [--seconds 60] [--seed N] [--update-corpus]
       npm run fuzz -- --codec json|messagepack --input FILE

Looks for inputs on which a codec breaks its promises. One that does is written to a file, and the command that
tries it again is printed. --update-corpus puts what was found by the way, as small as it can be, into the corpus.`

/** The code of each codec, and of what it is made of. */
const CODE = {
  json: /protocol\/dist\/(?:json|text|protocol-error)/,
  messagepack: /protocol\/dist\/(?:messagepack|binary|protocol-error)|@msgpack\/msgpack\//,
}
// This file stands in fuzz/dist/fuzz.
const folder = relative('.', fileURLToPath(new URL('../..', import.meta.url)))

const { values } = parseArgs({
  options: {
    codec: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 0xffff_ffff)) },
    input: { type: 'string' },
    'update-corpus': { type: 'boolean', default: false },
  },
})
const { codec } = values
const [seconds, seed] = [Number(values.seconds), Number(values.seed)]

if ((codec !== 'json' && codec !== 'messagepack') || !(seconds > 0) || !Number.isInteger(seed)) stop(USAGE)
else {
  // Before the codecs are loaded, or nothing of them is counted.
  const coverage = new BlockCoverage(CODE[codec])
  const { judge } = await import('./oracle.ts')
  if (values.input === undefined) search(codec, coverage, judge)
  else console.log(judge(codec, new Uint8Array(readFileSync(values.input))))
}

function search(name: CodecName, coverage: BlockCoverage, judge: Judge): void {
  const fuzzer = new Fuzzer({ name, coverage, judge, random: createRandom(seed) })
  // Most inputs end in errors, and collecting their stacks would take half the time; --input shows the one that counts.
  Error.stackTraceLimit = 0
  const start = performance.now()
  const report = (): void => {
    const passedS = (performance.now() - start) / 1000
    console.log(
      `${passedS.toFixed(0)} s: ${fuzzer.executions} inputs (${Math.round(fuzzer.executions / passedS)}/s), ` +
        `${coverage.reachedCount} of ${coverage.blockCount} blocks, ${fuzzer.corpus.length} inputs of interest, seed ${seed}`,
    )
  }
  let failure = fuzzer.start(readCorpus(`${folder}/corpus`, name))
  let nextReport = start + REPORT_MS
  // At least one batch, however slow the machine.
  do {
    failure ??= fuzzer.run()
    if (performance.now() < nextReport) continue
    report()
    nextReport += REPORT_MS
  } while (!failure && performance.now() < start + seconds * 1000)
  report()
  if (failure) keep(name, failure, judge)
  else if (values['update-corpus']) writeCorpus(`${folder}/corpus`, name, fuzzer.condense())
}

/** Writes the smallest input that fails in the same way, and says how to try it again. */
function keep(name: CodecName, { input, error }: Failure, judge: Judge): void {
  const isAsGood = (candidate: Uint8Array): boolean => {
    try {
      judge(name, candidate)
      return false
    } catch (other) {
      return other instanceof Error && other.message === error.message
    }
  }
  const small = isAsGood(input) ? minimise(name, input, isAsGood) : input
  mkdirSync(`${folder}/crashes`, { recursive: true })
  const file = `${folder}/crashes/${name}-${createHash('sha256').update(small).digest('hex').slice(0, 12)}`
  writeFileSync(file, small)
  console.error(error)
  stop(`${error.message}\nTry it again with: npm run fuzz -- --codec ${name} --input ${file}`)
}

function stop(text: string): void {
  console.error(text)
  process.exitCode = 1
}
