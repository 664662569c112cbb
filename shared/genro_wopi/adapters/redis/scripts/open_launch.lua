-- Opens a launch page: the first browser that does so keeps it, nobody else opens it again.
--
-- KEYS[1] launch: the session's id; once opened, a space and the browser's digest after it
-- ARGV[1] digest of what the browser shows; '' for nothing
-- ARGV[2] digest of what it is given where it is the first; '' binds none
-- ARGV[3] how long an opened page is kept, ms
--
-- Returns: {session, 'first' | 'again' | 'other'}; nil where there is no such code.
-- Safe to run twice: the second run shows 'again' to whoever kept what the first gave.
local known = redis.call('GET', KEYS[1])
if not known then return false end
local session, browser = string.match(known, '^(%S+) ?(%S*)$')
if browser == '' then
  if ARGV[2] ~= '' then redis.call('SET', KEYS[1], session .. ' ' .. ARGV[2], 'PX', ARGV[3]) end
  return {session, 'first'}
end
if browser ~= ARGV[1] and browser ~= ARGV[2] then return {session, 'other'} end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {session, 'again'}
