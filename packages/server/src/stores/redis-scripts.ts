import { createHash } from 'node:crypto'

/** A script that Redis runs as one piece: nothing else happens in between. */
export interface RedisScript {
  readonly text: string
  readonly sha: string
  readonly keyCount: number
}

/** What every script begins with. */
const COMMON = `
local function whole(number) return string.format('%.0f', number) end

-- Redis draws another replication id whenever its data may be other than before: at each start and each promotion.
local function readLife()
  local info = redis.call('INFO', 'replication')
  local replicas = string.match(info, 'connected_slaves:(%d+)')
  return string.match(info, 'master_replid:(%x+)'), string.match(info, 'master_replid2:(%x+)'), replicas ~= '0'
end

local function readMeta(key)
  local m = redis.call('HMGET', key, 'epoch', 'life', 'run', 'head', 'trimmedTo', 'droppedTo', 'bytes', 'oldestAt', 'level',
    'hasReplicas', 'start')
  return {
    epoch = m[1] or '', life = m[2], run = m[3], head = tonumber(m[4] or 0), trimmedTo = tonumber(m[5] or 0),
    droppedTo = tonumber(m[6] or 0), bytes = tonumber(m[7] or 0), oldestAt = tonumber(m[8] or 0), level = m[9] or '',
    hasReplicas = m[10] == '1', start = tonumber(m[11] or 0),
  }
end

-- Whether this is the log that the node knows: of that epoch, no other life of the engine, not behind what it saw, whole.
local function isKnown(meta, log, epoch, seen)
  return meta.epoch == epoch and meta.life == readLife() and meta.head >= tonumber(seen)
    and redis.call('XLEN', log) == meta.head - meta.droppedTo
end
`

/**
 * History's bounds: ids are forgotten with their entries. The stream itself keeps a few entries more, so that nodes that
 * read along get what was posted a moment ago however short the history is.
 */
const TRIM = `
local KEPT = 512
local TRIMMED_MAX = 2000

local function trim(meta, log, ids, countMax, bytesMax, oldest, kept)
  local budget = TRIMMED_MAX
  local excess = meta.head - meta.trimmedTo - countMax
  while meta.trimmedTo < meta.head and budget > 0
    and (excess > 0 or meta.bytes > bytesMax or meta.oldestAt < oldest) do
    local count = math.max(1, math.min(excess + 1, budget, 100))
    local entries = redis.call('XRANGE', log, whole(meta.trimmedTo + 1) .. '-0', '+', 'COUNT', count)
    if #entries == 0 then break end
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      local bytes, postedAt = string.match(fields[2], '^(%d+) (%-?[%d.]+)$')
      meta.oldestAt = tonumber(postedAt)
      if not (excess > 0 or meta.bytes > bytesMax or meta.oldestAt < oldest) then break end
      meta.trimmedTo = meta.trimmedTo + 1
      meta.bytes = meta.bytes - tonumber(bytes)
      excess = excess - 1
      budget = budget - 1
      if fields[3] == 'i' then redis.call('HDEL', ids, fields[4]) end
      -- What the next one's time is, the next look finds out.
      meta.oldestAt = 0
    end
  end
  if meta.trimmedTo == meta.head then meta.oldestAt = 0 end
  local droppedTo = math.min(meta.trimmedTo, meta.head - math.max(KEPT, kept))
  if droppedTo > meta.droppedTo then
    meta.droppedTo = droppedTo
    redis.call('XTRIM', log, 'MINID', '=', whole(droppedTo + 1) .. '-0')
  end
end

local function writeMeta(key, meta)
  redis.call('HSET', key, 'head', whole(meta.head), 'trimmedTo', whole(meta.trimmedTo), 'droppedTo', whole(meta.droppedTo),
    'bytes', whole(meta.bytes), 'oldestAt', whole(meta.oldestAt))
end
`

/**
 * Appends one piece. KEYS: meta, ids, log, node. ARGV: epoch, head seen, countMax, bytesMax, oldest, number of the piece, and
 * for each draft its bytes, time, id or '', text. Answers `{'settle'}` where it is not the log that the node knows, or
 * `{'appended', trimmedTo, offsets}`.
 */
export const APPEND: RedisScript = script(
  4,
  `${COMMON}${TRIM}
local meta = readMeta(KEYS[1])
if not isKnown(meta, KEYS[3], ARGV[1], ARGV[2]) then return {'settle'} end
local countMax, bytesMax, oldest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local before = redis.call('HMGET', KEYS[4], 'piece', 'offsets')
if before[1] == ARGV[6] then return {'appended', whole(meta.trimmedTo), before[2]} end
trim(meta, KEYS[3], KEYS[2], countMax, bytesMax, oldest, 0)
local offsets = {}
local first = meta.head
for i = 7, #ARGV, 4 do
  local id = ARGV[i + 2]
  local known = id ~= '' and redis.call('HGET', KEYS[2], id)
  if known then
    offsets[#offsets + 1] = known
  else
    meta.head = meta.head + 1
    local offset = whole(meta.head)
    if meta.head == meta.trimmedTo + 1 then meta.oldestAt = tonumber(ARGV[i + 1]) end
    meta.bytes = meta.bytes + tonumber(ARGV[i])
    if id == '' then
      redis.call('XADD', KEYS[3], offset .. '-0', 'm', ARGV[i] .. ' ' .. ARGV[i + 1], 'd', ARGV[i + 3])
    else
      redis.call('XADD', KEYS[3], offset .. '-0', 'm', ARGV[i] .. ' ' .. ARGV[i + 1], 'i', id, 'd', ARGV[i + 3])
      redis.call('HSET', KEYS[2], id, offset)
    end
    offsets[#offsets + 1] = offset
  end
end
trim(meta, KEYS[3], KEYS[2], countMax, bytesMax, oldest, meta.head - first)
writeMeta(KEYS[1], meta)
local text = table.concat(offsets, ',')
redis.call('HSET', KEYS[4], 'piece', ARGV[6], 'offsets', text)
redis.call('PEXPIRE', KEYS[4], 3600000)
return {'appended', whole(meta.trimmedTo), text}`,
)

/**
 * Looks where the log is, and forgets what is too old. KEYS: meta, ids, log. ARGV: epoch, head seen, countMax, bytesMax,
 * oldest. Answers `{'settle'}` or `{'known', head, trimmedTo}`.
 */
export const CHECK: RedisScript = script(
  3,
  `${COMMON}${TRIM}
local meta = readMeta(KEYS[1])
if not isKnown(meta, KEYS[3], ARGV[1], ARGV[2]) then return {'settle'} end
local trimmedTo, droppedTo, oldestAt = meta.trimmedTo, meta.droppedTo, meta.oldestAt
trim(meta, KEYS[3], KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), 0)
local _, _, hasReplicas = readLife()
if hasReplicas and not meta.hasReplicas then redis.call('HSET', KEYS[1], 'hasReplicas', '1') end
if meta.trimmedTo ~= trimmedTo or meta.droppedTo ~= droppedTo or meta.oldestAt ~= oldestAt then writeMeta(KEYS[1], meta) end
return {'known', whole(meta.head), whole(meta.trimmedTo)}`,
)

/**
 * Reads. KEYS: meta, log. ARGV: epoch, after, countMax, bytesMax, `trimmedTo` or `droppedTo`: which bound holds. Answers
 * `{'settle'}`, `{'trimmed'}` or `{'read', offset, text, offset, text, ...}`.
 */
export const READ: RedisScript = script(
  2,
  `${COMMON}
local meta = readMeta(KEYS[1])
if not isKnown(meta, KEYS[2], ARGV[1], 0) then return {'settle'} end
local after, countMax, bytesMax = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if after < meta[ARGV[5]] then return {'trimmed'} end
local answer = {'read'}
local count, bytes = 0, 0
while count < countMax do
  local entries = redis.call('XRANGE', KEYS[2], whole(after + 1) .. '-0', '+', 'COUNT', math.min(16, countMax - count))
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local fields = entry[2]
    bytes = bytes + tonumber(string.match(fields[2], '^%d+'))
    if count > 0 and bytes > bytesMax then return answer end
    count = count + 1
    after = after + 1
    answer[#answer + 1] = whole(after)
    answer[#answer + 1] = fields[#fields]
  end
end
return answer`,
)

/**
 * Makes sure of the log: begins it where there is none, and gives it another epoch, once for all nodes, where entries that
 * somebody saw may be gone. KEYS: meta, ids, log of the epoch that meta has, log of the new epoch. ARGV: the epoch that meta
 * has, the new epoch, what Redis keeps now (`synced`, `logged` or `memory`), the epoch that the node knows and the head it
 * saw in it. Answers `{'again'}` where meta has another epoch by now, or
 * `{'settled', epoch, head, trimmedTo, start, reason}`, with the head that the epoch began with.
 */
export const SETTLE: RedisScript = script(
  4,
  `${COMMON}
local meta = readMeta(KEYS[1])
if meta.epoch ~= ARGV[1] then return {'again'} end
local life, lifeBefore, hasReplicas = readLife()
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local reason = ''
if meta.epoch == '' then
  reason = 'there is no log'
  redis.call('DEL', KEYS[2], KEYS[4])
  redis.call('HSET', KEYS[1], 'head', '0', 'trimmedTo', '0', 'droppedTo', '0', 'bytes', '0', 'oldestAt', '0')
  meta = readMeta(KEYS[1])
elseif redis.call('XLEN', KEYS[3]) ~= meta.head - meta.droppedTo then
  reason = 'entries are missing'
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'trimmedTo', whole(meta.head), 'droppedTo', whole(meta.head), 'bytes', '0', 'oldestAt', '0')
  meta.trimmedTo = meta.head
elseif life ~= meta.life and string.find(lifeBefore, '[^0]') then
  reason = 'a replica took over, which may not have had the newest entries'
elseif life ~= meta.life and run ~= meta.run and (ARGV[3] ~= 'synced' or meta.level ~= 'synced') then
  reason = 'Redis was restarted, and does not sync each write'
elseif life ~= meta.life and run ~= meta.run and meta.hasReplicas then
  reason = 'Redis was restarted and has replicas: this may be one of them, which may not have had the newest entries'
elseif meta.epoch == ARGV[4] and meta.head < tonumber(ARGV[5]) then
  reason = 'the newest entries are gone'
end
if reason ~= '' then
  if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[4]) end
  meta.epoch = ARGV[2]
  meta.start = meta.head
  redis.call('HSET', KEYS[1], 'reason', reason, 'start', whole(meta.head))
end
redis.call('HSET', KEYS[1], 'epoch', meta.epoch, 'life', life, 'run', run, 'level', ARGV[3],
  'hasReplicas', hasReplicas and '1' or '0')
return {'settled', meta.epoch, whole(meta.head), whole(meta.trimmedTo), whole(meta.start), reason}`,
)

/** What Redis says of its persistence. KEYS: meta, so that a cluster asks the node that has the log. */
export const PERSISTENCE: RedisScript = script(1, `return redis.call('INFO', 'persistence')`)

/** Tells all who listen. KEYS: meta, so that in a cluster all that a node says goes one way, in order. ARGV: name, text. */
export const SAY: RedisScript = script(1, `return redis.call('PUBLISH', ARGV[1], ARGV[2])`)

function script(keyCount: number, text: string): RedisScript {
  return { text, sha: createHash('sha1').update(text).digest('hex'), keyCount }
}
