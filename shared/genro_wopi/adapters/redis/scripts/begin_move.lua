-- Begins to move a file: checks the lock, waits for saves that are under way, notes the target.
--
-- KEYS[1] file
-- KEYS[2] lock
-- KEYS[3] intents
-- ARGV[1] file id
-- ARGV[2] lock that the request shows; '' for none
-- ARGV[3] where the file is to lie
-- ARGV[4] a save that began less than this ago may still be writing, ms
-- ARGV[5] after this the mover is taken for dead, ms
-- ARGV[6] session that asks
-- ARGV[7] '1' where a lock does not matter: the folder around the file is renamed
--
-- While the note is there no save begins, and no other move.
-- Returns: {'gone'} | {'mismatch', lock row, now} | {'moving'} | {'busy'} | {'ok', file row}.
-- Safe to run twice: the second run finds its own note.
-- include: moment
-- include: records
local now = now_us()
local file = file_row(KEYS[1])
if not file[1] then return {'gone'} end
local lock = lock_row(KEYS[2])
if lock[1] and lock[1] ~= ARGV[2] and ARGV[7] ~= '1' then return {'mismatch', lock, int(now)} end
if file[14] and file[14] ~= ARGV[3] then return {'moving'} end
local since = int(now / 1000 - tonumber(ARGV[4]))
for _, intent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], since, '+inf')) do
  if string.sub(intent, -#ARGV[1]) == ARGV[1] then return {'busy'} end
end
redis.call('HSET', KEYS[1], 'move', ARGV[3], 'move_by', ARGV[6], 'move_until', int(now + tonumber(ARGV[5]) * 1000))
return {'ok', file_row(KEYS[1])}
