-- Deletes a tenant's record with its outbox, where its name has not been given to another tenant.
--
-- KEYS[1] tenant
-- KEYS[2] outbox
-- ARGV[1] tenant id
--
-- Returns: 1; 0 where another tenant has the name, or none, and nothing was deleted.
-- Safe to run twice: the second time the record is gone.
local record = redis.call('GET', KEYS[1])
if not record or cjson.decode(record)['tenant_id'] ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
