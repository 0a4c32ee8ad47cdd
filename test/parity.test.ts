// Feature by feature, what Creatio has: each line is a test by that name, which says where it is proven.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

const EVENTS = 'packages/client/test/terrasoft-events.test.ts'
const MANAGED = 'packages/client/test/terrasoft-managed.test.ts'
const NAMES = 'packages/client/test/terrasoft.test.ts'
const SENDING = 'packages/client/test/terrasoft-sending.test.ts'
const SANDBOX = 'packages/client/test/sandbox.test.ts'
const BRIDGE = 'packages/client/test/message-bridge.test.ts'
const SDK = 'packages/client/test/terrasoft-sdk.test.ts'
const BROWSER = 'test/e2e/creatio.test.ts'
const SEED = 'test/e2e/seed.test.ts'
const UTILITIES = 'test/cli/terrasoft.test.ts'
const POST = 'packages/server/test/channel-post.test.ts'
const CLIENTS = 'packages/server/test/client-messages.test.ts'
const STOCK = 'test/interop/client-messages.test.ts'
const PROCESS = 'examples/crm/test/approval.test.ts'
const CRM = 'test/e2e/crm.test.ts'
const RAW = 'packages/server/test/raw-channel.test.ts'

interface Row {
  readonly feature: string
  /** Titles of tests, by their file. */
  readonly proven?: Readonly<Record<string, readonly string[]>>
  /** What is not there, as a pattern that nothing in the sources matches. */
  readonly missing?: RegExp
}

const rows: readonly Row[] = [
  {
    feature: 'PostMessageToAll(id, text)',
    proven: {
      [UTILITIES]: ["posts to the process's channel", 'is logged, and does not end the process'],
      [POST]: ['arrives as it was posted: %s', 'comes also where nobody is there'],
      [SEED]: ['gets %s as itself'],
    },
  },
  {
    feature: 'same with list/object',
    proven: { [UTILITIES]: ["posts to the process's channel"], [BROWSER]: ['arrive as they were posted: %s'] },
  },
  {
    feature: 'PostMessage(userConnection, id, text)',
    proven: { [UTILITIES]: ['posts to one user, by user connection or id, and to several'] },
  },
  {
    feature: 'several users',
    proven: {
      [UTILITIES]: ['posts to one user, by user connection or id, and to several'],
      'packages/server/test/channel-audience.test.ts': ['takes any iterable of ids'],
    },
  },
  {
    feature: 'PostToAll / FindItemByUId / Channels / IsRunning / Instance',
    proven: {
      'test/cli/msg-channel-manager.test.ts': [
        'says whether it runs, and throws where its Instance is asked for while it does not',
        'posts to all, and to several users: those who are offline are no error, and one named twice gets it once',
        'finds the channel of a user who is there, and null else',
        'tells of what the pages of a user send, and of his last connection’s end',
      ],
    },
  },
  {
    feature: 'SimpleMessage / header',
    proven: {
      'packages/server/test/message-header.test.ts': ['has nothing in it that is empty'],
      [NAMES]: ['createMessageObject gives an empty message with an id of its own'],
      [SDK]: ['hears this very sender, and none that is like it'],
    },
  },
  {
    feature: 'ServerChannel.on/un',
    proven: {
      [EVENTS]: [
        'are lower-cased on add, remove and fire',
        'with the same scope is added once; with another scope it is another',
        'is taken off with the same function and the same scope only; else nothing happens',
        'may be the name of a method of its scope',
        'takes a handler with a scope and options of its own',
        'gets its options as the last argument, where it was given some',
        'has the handler called once',
        'has the handler called so many milliseconds later, for each event',
        'has the handler called so many milliseconds after the last event, with its arguments',
        'has the handler called only where it is the first argument',
        'puts higher ones first, negative ones last',
        'has on return what takes the handler off',
        'cancels its %s calls',
        'goes on with the handlers that it began with',
        'needs as many calls of resumeEvents as there were of it',
      ],
      [MANAGED]: [
        'adds a handler to another object, with scope and options',
        'takes off what was added with this function and scope',
        'fires the events of another as its own',
      ],
      [SEED]: ['gets nothing after destroy, and once each after a second init'],
    },
  },
  {
    feature: 'handler args',
    proven: { [NAMES]: ['work to the letter'], [EVENTS]: ['is called with its scope as this, by default the channel'] },
  },
  {
    feature: 'return false / throwing handler',
    proven: {
      [EVENTS]: [
        'that returns false stops the later ones, and nothing else does',
        'that throws is reported, and the later ones run',
      ],
      [NAMES]: ['message stops at a handler that returns false'],
    },
  },
  {
    feature: 'EventName, ServerChannelSender, SocketConnectionState',
    proven: {
      [NAMES]: [
        'the constants are those of the original',
        'opened fires at each connection',
        'closed fires once for each loss, and for the end',
        'error fires with everything that goes wrong',
      ],
    },
  },
  {
    feature: 'reserved senders',
    proven: {
      [SENDING]: [
        '%s fires its own event with the decoded body, and no message',
        'CommandService is written to the console and is a message too',
        '%s is a message like any other',
      ],
      'packages/server/test/reserved-senders.test.ts': ['is delivered, and warned of once per sender'],
      [CLIENTS]: ['%j is answered to its caller only'],
      [BROWSER]: ['may not send under the server’s own senders'],
    },
  },
  {
    feature:
      'isOpened, getConnectionState, init, ping→"pong", postMessage, postRawMessage, broadcastMessage, createMessageObject, getSenderName',
    proven: {
      [NAMES]: [
        'has the state and isOpened of the original',
        'is one, and a message is one call, however often init() is called',
        'getSenderName gives the message id that was posted',
      ],
      [SENDING]: [
        'writes pong to the console when the server answers',
        'postMessage calls SendMessage with the message',
        'postRawMessage calls SendRawMessage with the text',
        'broadcastMessage sends the object as JSON text under BroadcastMsg',
      ],
      [BROWSER]: ['shows the connection and pong', 'send to their own tabs, and to all'],
    },
  },
  {
    feature: 'reconnect',
    proven: {
      'packages/client/test/reconnect.test.ts': [
        'later ones later, up to 30 s, for ever',
        'is a random part of its ceiling',
      ],
      [SENDING]: [
        'counts the attempts since the connection was last open',
        'beyond maxReconnectCount closes the channel',
      ],
      [BROWSER]: ['is called once for each message over ${CUTS} cuts, with init() called again and again'],
    },
  },
  {
    feature: 'ClientMessageBridge',
    proven: {
      [BRIDGE]: [
        'is saved, and published in order to who subscribes; then it is gone',
        'is published by the next page too',
        'are called around each message, also a saved one',
        'may decide who listens, publish otherwise, and keep messages elsewhere',
        'with the body %j keeps its header, and no handler from running',
        'has no config without a %s',
        'that no config names is published as SocketMessageReceived',
        'as packages of Creatio have it makes a bridge',
      ],
      [BROWSER]: ['keeps in localStorage what nobody hears, for the next page, in order and once'],
    },
  },
  {
    feature: 'sandbox messages',
    proven: {
      [SANDBOX]: [
        'is needed to %s, and not one of the other direction',
        'reaches every subscriber in the order in which they came',
        'reaches the others where one throws',
        'reaches the first subscriber alone, and gives what it returns',
        'has its handler replaced where the same module subscribes again with the same tags',
        'of a subscriber %j and of a message %j match: %s',
        'that is gone has no handlers left',
      ],
    },
  },
  {
    feature: 'MessageChannelService',
    proven: {
      [SDK]: [
        'gives the body %j as %j, and says whether it is a text: %s',
        'hears this very sender, and none that is like it',
        'resolves to what ends it, once for all',
        'to %s says so in the header, with the body as JSON text',
      ],
      [BROWSER]: ['send to their own tabs, and to all'],
      [CLIENTS]: ['gets what is for the server, by sender or channel type, and what the policy lets pass'],
    },
  },
  {
    feature: 'Freedom UI lifecycle',
    proven: {
      [SDK]: [
        'is as it was asked for last, after any sequence of starts and stops',
        'hear from init to destroy, but for the time that the page is paused',
        'hear once after resumes that come twice, and at the same time',
      ],
    },
  },
  {
    feature: 'wire: SignalR',
    proven: {
      [STOCK]: ['pings, by its method and as a command in the console', 'sends bodies of every kind to its user'],
      'test/interop/stock-matrix.test.ts': ['clients of all versions, over all transports'],
    },
  },
  {
    feature: 'wire: raw WS',
    proven: {
      [RAW]: [
        'brings each message in a frame of its own, as it is and no more',
        'answers the ping of the console',
        'takes messages as the hub does, for clients of either',
      ],
    },
  },
  {
    feature: 'discovery script / GetApplicationInfo',
    proven: {
      [RAW]: ['tells where the hub is, and the plain WebSocket as the other edition asks for it'],
      'packages/client/test/builds.test.ts': ['connects to the hub that served it with the first handler'],
    },
  },
  {
    feature: 'BPMN task "post user message"',
    proven: {
      [PROCESS]: [
        'a message to the one who started it reaches all windows of that user and nobody else',
        '"post user message" reaches everybody where the process file says SendForAll',
        '"post user message" reaches those of a list who are there, each once',
        '"post user message" without anybody to tell ends the process and says why',
      ],
      [CRM]: ['tells everybody where the process’s element "post user message" says SendForAll'],
    },
  },
  {
    feature: 'session end, settings/schema invalidation, import progress, live data update',
    // Recipes: the page's block is run, and has to print what it says.
    proven: { 'test/doc-hubs.test.ts': ['prints what it says, in whatever order'] },
  },
  {
    feature: 'scale-out',
    proven: {
      'test/interop/nodes-stock-clients.test.ts': ['is served as by one server over $transport in $protocol'],
      'test/stores/cluster-engines.test.ts': [],
    },
  },
  {
    feature: 'limits',
    proven: {
      [RAW]: ['ends with the reason where a message is too large'],
      [STOCK]: ['carries halves of surrogate pairs as its protocol can, and a megabyte where that is allowed'],
    },
  },
]

/** A title as it stands behind the bracket of `it(`, `it.each(…)(` or `describe(`, from its beginning or in its middle. */
function hasTest(text: string, title: string): boolean {
  return text
    .split('\n')
    .some((line) => line.includes(title) && /(?:\(|^\s*)['"`][^'"`]*$/.test(line.slice(0, line.indexOf(title))))
}

/** The sources of all packages and of the example. */
function sources(): string[] {
  return ['packages', 'examples']
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name, 'src')))
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, String(name))))
    .filter((file) => file.endsWith('.ts'))
}

describe('what Creatio has', () => {
  it.each(rows)('$feature', ({ proven = {}, missing }) => {
    for (const [file, titles] of Object.entries(proven)) {
      const text = read(file)
      for (const title of titles) expect([file, title, hasTest(text, title)]).toEqual([file, title, true])
    }
    if (missing) {
      // As soon as it is there, a test that proves it is to be named instead.
      const files = sources()
      expect(files.length).toBeGreaterThan(100)
      expect(files.filter((file) => missing.test(read(file)))).toEqual([])
    } else expect(Object.keys(proven).length).toBeGreaterThan(0)
  })

  it('is what the documentation lists, with what is missing said', () => {
    const section = read('docs/creatio.md').split('\n## Feature by feature\n')[1] ?? ''
    const documented = [...section.matchAll(/^\| (.+) \| (.+) \|$/gm)]
      .map(([, feature = '', state = '']) => ({ feature, isThere: state.startsWith('✔') }))
      .filter(({ feature }) => feature !== 'feature')
    expect(documented).toEqual(rows.map(({ feature, missing }) => ({ feature, isThere: !missing })))
  })
})
