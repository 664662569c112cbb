-- Writes whose a new file is and where it lies; what is known of a registered one stays.
--
-- KEYS[1] file
-- ARGV[1] tenant
-- ARGV[2] storage
-- ARGV[3] path
--
-- Returns: the file row; its path is another one where the file was moved meanwhile.
-- Safe to run twice: the second run changes nothing.
-- include: records
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'tenant', ARGV[1], 'storage', ARGV[2], 'path', ARGV[3])
end
return file_row(KEYS[1])
