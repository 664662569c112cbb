-- Writes one editor, where it still has the revision that its writer read and its tenant has room for it.
--
-- KEYS[1] hash of editors by name
-- ARGV[1] name
-- ARGV[2] revision that must be there; '' for any, '0' for none at all
-- ARGV[3] the record as JSON
-- ARGV[4] most editors; 0: any
-- ARGV[5] most addresses of all of them; 0: any
--
-- What was there before may be changed as long as it does not grow.
-- Returns: 1; 0 where another one is there; -1 for too many editors, -2 for too many addresses; nothing was written.
-- Safe to run twice: the second time the record itself is there, and it is written again.
local function size(editor) return 1 + #(editor['addresses'] or {}) end
local known = redis.call('HGET', KEYS[1], ARGV[1])
local there, new = known and cjson.decode(known), cjson.decode(ARGV[3])
if ARGV[2] ~= '' and known ~= ARGV[3] then
  if (there and there['revision'] or 0) ~= tonumber(ARGV[2]) then return 0 end
end
local count, addresses, all = 1, size(new), redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then count, addresses = count + 1, addresses + size(cjson.decode(all[i + 1])) end
end
local grows = not there or size(new) > size(there)
if tonumber(ARGV[4]) > 0 and not there and count > tonumber(ARGV[4]) then return -1 end
if tonumber(ARGV[5]) > 0 and grows and addresses > tonumber(ARGV[5]) then return -2 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
