-- Writes one configuration record, where it still has the revision that its writer read.
--
-- KEYS[1] string, or hash of records
-- ARGV[1] field of the hash; '' for a string
-- ARGV[2] revision that must be there; '' for any, '0' for none at all
-- ARGV[3] the record as JSON
--
-- A record of another tenant is never replaced: the name was given again meanwhile.
-- Returns: 1; 0 where another one is there, and nothing was written.
-- Safe to run twice: the second time the record itself is there, and it is written again.
local known
if ARGV[1] == '' then known = redis.call('GET', KEYS[1]) else known = redis.call('HGET', KEYS[1], ARGV[1]) end
local there = known and cjson.decode(known) or {}
if known and there['tenant_id'] ~= cjson.decode(ARGV[3])['tenant_id'] then return 0 end
if ARGV[2] ~= '' and known ~= ARGV[3] then
  if (there['revision'] or 0) ~= tonumber(ARGV[2]) then return 0 end
end
if ARGV[1] == '' then redis.call('SET', KEYS[1], ARGV[3]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
