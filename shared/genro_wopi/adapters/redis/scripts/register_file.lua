-- Writes what never changes by itself about a file: whose it is and where it lies.
--
-- KEYS[1] file
-- ARGV[1] tenant
-- ARGV[2] storage
-- ARGV[3] path
--
-- Returns: the file row.
-- Safe to run twice: it writes the same again.
-- include: records
redis.call('HSET', KEYS[1], 'tenant', ARGV[1], 'storage', ARGV[2], 'path', ARGV[3])
return file_row(KEYS[1])
