-- Writes what is known of an editor's discovery, where no other copy came since its writer read.
--
-- KEYS[1] string: the last good copy
-- KEYS[2] hash of editors by name
-- ARGV[1] when the copy that its writer read was fetched (µs), '0' for none
-- ARGV[2] the record as JSON
-- ARGV[3] name of the editor
-- ARGV[4] the address that was asked
--
-- Returns: 1; 0 where another copy is there, -1 where the editor has no such address any more; nothing was
-- written then.
-- Safe to run twice: the second time the record itself is there.
local editor, is_there = redis.call('HGET', KEYS[2], ARGV[3]), false
if editor then
  editor = cjson.decode(editor)
  is_there = editor['url'] == ARGV[4]
  for _, address in ipairs(editor['addresses'] or {}) do is_there = is_there or address == ARGV[4] end
end
if not is_there then return -1 end
local known = redis.call('GET', KEYS[1])
if known and known ~= ARGV[2] and cjson.decode(known)['fetched_us'] ~= tonumber(ARGV[1]) then return 0 end
if not known and ARGV[1] ~= '0' then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
