-- Begins a save: checks the lock, extends its life to cover the write, notes the intent.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] released
-- KEYS[5] intents
-- ARGV[1] file id
-- ARGV[2] lock that the save shows; '' for none
-- ARGV[3] save id
-- ARGV[4] client's time of sending, ticks; 0 where unknown
-- ARGV[5] life that the lock must have left, ms
-- ARGV[6] grace after the session's end, us
-- ARGV[7] '1' for an editor's session; '' for the management API, which has none
-- ARGV[8] '1' where a lock that is JSON may be shown in part (Microsoft 365)
-- ARGV[9] editor that saves; '' where it is not known
-- ARGV[10] how long an ended session is kept, us
--
-- Returns: {'ended'} | {'moving', …} while the file moves | {'other', lock row, file row, now} | {standing, lock row, file row, now, version
-- at the release, version whose bytes crossed between this editor and the host last, sha256 of what
-- first filled the file, when this editor loaded it last}, where standing is held, superseded, released or unlocked. Superseded is what was
-- sent before the lease was taken, and what is not newer than a save of this session that is stored.
-- Safe to run twice: the intent is a set member.
-- include: moment
-- include: session
-- include: records
-- include: partial_lock
-- include: same_editor
-- include: ticks
local now = now_us()
local phase = ARGV[7] == '1' and phase_of(KEYS[1], KEYS[2], KEYS[3], ARGV[1], now, ARGV[6])
if phase == 'ended' then return {'ended'} end
local lock = lock_row(KEYS[3])
local file = file_row(KEYS[2])
if file[14] then return {'moving', lock, file, int(now), '', false, false, false} end
local known = redis.call('HMGET', KEYS[2], 'seen:' .. ARGV[9], 'filled_sha', 'loaded:' .. ARGV[9])
if lock[1] and (not shows(lock[1], ARGV[2], ARGV[8] == '1') or is_apart(lock[9], ARGV[9])) then
  return {'other', lock, file, int(now), '', known[1], known[2], false}
end
if phase == 'active' then lives_on(KEYS[1], KEYS[2], KEYS[3], now, ARGV[10])
elseif phase and lock[1] then touch(KEYS[2], now) end
local standing, version, has_time = 'unlocked', '', ARGV[4] ~= '0'
if lock[1] then
  standing = 'held'
  if has_time and lock[5] ~= '0' and is_later(lock[5], ARGV[4]) then standing = 'superseded' end
  if lock[8] < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[3], ARGV[5]) end
else
  local last = redis.call('HMGET', KEYS[4], 'lock', 'version', 'editor')
  if ARGV[2] ~= '' and last[1] == ARGV[2] and not is_apart(last[3], ARGV[9]) then standing, version = 'released', last[2] end
end
local stored = redis.call('HGET', KEYS[1], 'attempt')
if has_time and stored and not is_later(ARGV[4], stored) then standing = 'superseded' end
redis.call('ZADD', KEYS[5], 'NX', int(now / 1000), ARGV[3] .. ' ' .. ARGV[1])
return {standing, lock, file, int(now), version, known[1], known[2], known[3]}
