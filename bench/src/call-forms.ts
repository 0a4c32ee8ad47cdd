import { BODY_BYTES, hex } from './contender.ts'
import type { DriverOptions } from './driver.ts'

/** What stands around the id and the text of a call and of its answer: what the driver sends, and what it expects. */
type CallForms = Required<
  Pick<
    DriverOptions,
    'callBefore' | 'callBetween' | 'callAfter' | 'answerBefore' | 'answerBetween' | 'answerAfter' | 'answerCut'
  >
>

const TARGET = 'Echo'
/** The driver's ids. */
const ID_BYTES = 8

/** SignalR's invocation and completion in JSON. */
export const jsonCalls: CallForms = {
  ...callForm('{"type":1,"invocationId":"', `","target":"${TARGET}","arguments":["`, '"]}\x1e'),
  ...answerForm('{"type":3,"invocationId":"', '","result":"', '"}\x1e'),
  answerCut: 'separators',
}

/** The same bytes come back. */
export const echoedCalls: CallForms = {
  ...jsonCalls,
  ...answerForm(jsonCalls.callBefore, jsonCalls.callBetween, jsonCalls.callAfter),
  answerCut: 'frames',
}

/** Socket.IO's event with an acknowledgement: what `emitWithAck` sends, and what it waits for. */
export const socketIoCalls: CallForms = {
  ...callForm('42', `["${TARGET}","`, '"]'),
  ...answerForm('43', '["', '"]'),
  answerCut: 'frames',
}

const NO_HEADERS = 0x80
const FIXED_TEXT = 0xa0
const TEXT_8 = 0xd9
const LIST = 0x90
const RESULT = 3

/** SignalR's invocation `[1, {}, id, target, [text]]` and completion `[3, {}, id, 3, text]` in MessagePack. */
export const messagePackCalls: CallForms = messagePackForms()

function messagePackForms(): CallForms {
  const id = FIXED_TEXT + ID_BYTES
  const text = [TEXT_8, BODY_BYTES]
  const call = {
    before: [LIST + 5, 1, NO_HEADERS, id],
    between: [FIXED_TEXT + TARGET.length, ...Buffer.from(TARGET), LIST + 1, ...text],
  }
  const answer = { before: [LIST + 5, 3, NO_HEADERS, id], between: [RESULT, ...text] }
  return {
    ...callForm(hexPrefixed(call), hex(Uint8Array.from(call.between)), ''),
    ...answerForm(hexPrefixed(answer), hex(Uint8Array.from(answer.between)), ''),
    answerCut: 'lengths',
  }
}

/** What stands before the id, with the length of the whole before it. */
function hexPrefixed({ before, between }: { before: readonly number[]; between: readonly number[] }): string {
  const bytes = before.length + ID_BYTES + between.length + BODY_BYTES
  if (bytes > 0x7f) throw new RangeError(`A call of ${bytes} bytes has a prefix of more than one byte.`)
  return hex(Uint8Array.from([bytes, ...before]))
}

function callForm(
  callBefore: string,
  callBetween: string,
  callAfter: string,
): Pick<CallForms, 'callBefore' | 'callBetween' | 'callAfter'> {
  return { callBefore, callBetween, callAfter }
}

function answerForm(
  answerBefore: string,
  answerBetween: string,
  answerAfter: string,
): Pick<CallForms, 'answerBefore' | 'answerBetween' | 'answerAfter'> {
  return { answerBefore, answerBetween, answerAfter }
}
