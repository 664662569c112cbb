-- Writes what is known of an editor's discovery, where no other copy came since its writer read.
--
-- KEYS[1] string: the last good copy
-- ARGV[1] when the copy that its writer read was fetched (µs), '0' for none
-- ARGV[2] the record as JSON
--
-- Returns: 1; 0 where another copy is there, and nothing was written.
-- Safe to run twice: the second time the record itself is there.
local known = redis.call('GET', KEYS[1])
if known and known ~= ARGV[2] and cjson.decode(known)['fetched_us'] ~= tonumber(ARGV[1]) then return 0 end
if not known and ARGV[1] ~= '0' then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
