import { Linter } from 'eslint'
import { describe, expect, it } from 'vitest'
import plugin from '../src/eslint.ts'

/** The ids of what ESLint itself reports, with the recommended configuration. */
function lint(code: string): readonly string[] {
  const problems = new Linter().verify(code, [...plugin.configs.recommended] as Linter.Config[])
  for (const { fatal, message } of problems) if (fatal) throw new Error(message)
  return problems.map(({ messageId }) => messageId ?? '')
}

const PAGE = (init: string, destroy: string): string => `
  define("OrderPage", [], function() {
    return {
      methods: {
        init: function() { this.callParent(arguments); ${init} },
        onMessage: function(scope, message) {},
        destroy: function() { ${destroy} this.callParent(arguments); }
      }
    };
  });`

const ON = 'Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onMessage, this);'
const UN = 'Terrasoft.ServerChannel.un(Terrasoft.EventName.ON_MESSAGE, this.onMessage, this);'

describe('the rule un-for-on', () => {
  it.each([
    ['the seed’s page', PAGE(ON, UN)],
    ['another global', PAGE(ON, UN).replaceAll('Terrasoft.', 'BPMSoft.')],
    ['a text for a constant', PAGE(ON, UN.replace('Terrasoft.EventName.ON_MESSAGE', '"Message"'))],
    ['a handler that is called once', PAGE(ON.replace('this)', 'this, {single: true})'), '')],
    ['a handler with an object that ends it', PAGE(ON.replace('this)', 'this, { destroyable: true })'), '')],
    ['all taken off', PAGE(ON, 'Terrasoft.ServerChannel.clearListeners();')],
    ['the long names', PAGE(ON.replace('.on(', '.addListener('), UN.replace('.un(', '.removeListener('))],
    [
      'objects of events',
      PAGE(
        'Terrasoft.ServerChannel.on({ message: this.onMessage, opened: { fn: this.onOpened, scope: this }, scope: this });',
        `${UN} Terrasoft.ServerChannel.un("opened", this.onOpened, this);`,
      ),
    ],
    ['other emitters', 'emitter.on("message", function() {}); ServerChannels.on("message", handle)'],
  ])('takes %s', (_name, code) => {
    expect(lint(code)).toEqual([])
  })

  it.each([
    ['no un at all', PAGE(ON, ''), ['missing']],
    ['un of another handler', PAGE(ON, UN.replace('this.onMessage', 'this.onOther')), ['missing']],
    ['un of another event', PAGE(ON, UN.replace('ON_MESSAGE', 'ON_ERROR')), ['missing']],
    ['un without the scope', PAGE(ON, UN.replace(', this)', ')')), ['scope']],
    [
      'a function without a name',
      PAGE('Terrasoft.ServerChannel.on("message", function() {}, this);', UN),
      ['anonymous'],
    ],
    ['an arrow', PAGE('Terrasoft.ServerChannel.on("message", () => this.reload());', UN), ['anonymous']],
    [
      'bind, which makes another function each time',
      PAGE(
        ON.replace('this.onMessage', 'this.onMessage.bind(this)'),
        UN.replace('this.onMessage', 'this.onMessage.bind(this)'),
      ),
      ['anonymous'],
    ],
    [
      'one of an object',
      PAGE('Terrasoft.ServerChannel.on({ message: this.onMessage, error: this.onError, scope: this });', UN),
      ['missing'],
    ],
    ['two pages, one of which leaks', PAGE(ON, UN) + PAGE(ON.replaceAll('onMessage', 'onOther'), ''), ['missing']],
    ['a channel in a variable', 'ServerChannel.on("message", handle)', ['missing']],
  ])('reports %s', (_name, code, problems) => {
    expect(lint(code)).toEqual(problems)
  })

  it('says what to do, and where', () => {
    const [problem] = new Linter().verify(PAGE(ON, ''), [...plugin.configs.recommended] as Linter.Config[])
    expect(problem).toMatchObject({ line: 5, ruleId: 'serverchannel/un-for-on' })
    expect(problem?.message).toContain('Give un the same event, function and scope (this) in destroy')
  })
})
