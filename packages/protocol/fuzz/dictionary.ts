import type { CodecName } from './oracle.ts'

/** JSON's words: whole messages, properties, and what texts and numbers are made of. No blanks in them. */
const JSON_WORDS = `
{"type":1,"target":"x","arguments":[1]} {"type":3,"invocationId":"1","result":null} {"type":6}
{"type":2,"invocationId":"1","item":1} {"type":7,"error":"x","allowReconnect":true} {"type":9,"sequenceId":1}
,"streamIds":["2"] ,"headers":{"a":"b"} ,"error":"x" "type": "__proto__": "\\ud800" \\udc00 \\u001e
{ } [ ] {} [] - -1 1 2 00 " \\ : , null true -0 0.1 1e999 1e20 9007199254740993 😀 é`

/** MessagePack's, in hexadecimal digits: whole messages, heads of values, numbers at their bounds, lengths, extensions. */
const MESSAGEPACK_WORDS = `
950180c0a17890 960180a130a44563686f91a2686990 940280a131c0 950380a13103a178 940380a13102 950380a13101a165
930580a131 9106 9307c0c3 920804 81a161a162 91a132
80 81 8f 90 91 9f a0 a1 bf c0 c1 c2 c3 e0 ff 7f 00 01 02 03
ca7fc00000 cb8000000000000000 cb7ff0000000000000 cc80 cd0100 ce00010000 cf0020000000000001 cfffffffffffffffff
d080 d18000 d280000000 d38000000000000000
c404 c50002 c6ffffffff c6000000 d9ff da000161 db00000001 dcffff dc0001 dd00000001 deffff de0001 df00000001 df80000000
c70cff c80004ff c9ffffffffff d6ff d7ff d400 d801 c70cff00000000 d6ff00000001 d7ffffffffffffffffff
a95f5f70726f746f5f5f 81a95f5f70726f746f5f5f80 a3eda0bd a3edb080 a2c3a9 a4f09f9880 a3e28282 a1ff ffffffff07 8001`

/** What the grammars are made of: chance alone would take long to come upon it. */
export const dictionary: Readonly<Record<CodecName, readonly Uint8Array[]>> = {
  json: [...split(JSON_WORDS), '\x1e', '\x00', '\ufeff', '\u2028', ' '].map(
    (word) => new Uint8Array(Buffer.from(word)),
  ),
  messagepack: split(MESSAGEPACK_WORDS).map((word) => new Uint8Array(Buffer.from(word, 'hex'))),
}

function split(words: string): string[] {
  return words.trim().split(/\s+/)
}
