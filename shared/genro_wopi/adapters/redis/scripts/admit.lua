-- Lets a request of a session in and returns everything that it needs of Redis.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] events
-- KEYS[5] open
-- ARGV[1] session id
-- ARGV[2] file id that the request names
-- ARGV[3] purpose: check | read | save | lock_state
-- ARGV[4] grace after the session's end, us
-- ARGV[5] how long an ended session is kept, us
-- ARGV[6] how long it is remembered who opened the file, ms
-- ARGV[7] editor that the token was given to; '' where it is not known
-- ARGV[8] '1' where what is read may be saved by that editor; '' where it is only shown
--
-- A session in its grace may save, and later too while the lock of the use that it joined holds; it may
-- also look at the file while a lock protects what its editor holds. Reading opens; so does asking about
-- a file that this editor holds locked, since it reads it once for all. The first time emits
-- document_opened. The version that is read is noted for the session and for the lease that it holds.
--
-- Returns: {'foreign'} where the session is another file's, {'ended', session row, file row}, or
-- {'ok', session row, file row, lock row, now}.
-- Safe to run twice: a second run changes nothing but the session's expiry.
-- include: moment
-- include: event
-- include: session
-- include: opening
-- include: same_editor
-- include: records
local now = now_us()
local phase = phase_of(KEYS[1], KEYS[2], KEYS[3], ARGV[2], now, ARGV[4])
local lock, file = lock_row(KEYS[3]), file_row(KEYS[2])
local s = redis.call('HMGET', KEYS[1], 'doc', 'state', 'expires_us', 'ends_us', 'opened', 'user_info', 'server', 'edit', 'fid')
if s[9] and s[9] ~= ARGV[2] then return {'foreign'} end
if phase == 'ended' or not file[1] then return {'ended', s, file, int(now)} end
if phase ~= 'active' and ARGV[3] ~= 'save' then
  if ARGV[3] == 'read' or s[5] ~= '1' or s[8] ~= '1' or not lock[1] then return {'ended', s, file, int(now)} end
end
if phase == 'active' then lives_on(KEYS[1], KEYS[2], KEYS[3], now, ARGV[5])
elseif lock[1] then touch(KEYS[2], now) end
s[3] = int(lives_until(KEYS[1], KEYS[2]))
local is_inside = s[8] == '1' and lock[1] and not is_apart(lock[9], ARGV[7])
if ARGV[3] == 'read' or (ARGV[3] == 'check' and is_inside) then
  opens(KEYS[1], ARGV[1], KEYS[2], KEYS[5], KEYS[4], now, file[5] or '', ARGV[6])
end
if ARGV[3] == 'read' and file[5] then reads(KEYS[1], ARGV[1], KEYS[2], KEYS[3], file[5], ARGV[7], ARGV[8]) end
return {'ok', s, file, lock, int(now)}
