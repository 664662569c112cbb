-- Registers the head that the storage shows and gives it its version.
--
-- KEYS[1] session of the reader
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] intents
-- KEYS[5] session that wrote it; one that is not there, or of another file, where its save concerns
--         nobody here: evidence is written by whoever writes to the storage
-- ARGV[1] reader's session id; '' for none
-- ARGV[2] fingerprint
-- ARGV[3] size, bytes
-- ARGV[4] when the storage says that it was written, us
-- ARGV[5] version from the evidence beside the bytes; '' where there is none
-- ARGV[6] last modified from the evidence, us
-- ARGV[7] sequence from the evidence
-- ARGV[8] sha256 from the evidence
-- ARGV[9] session that wrote it
-- ARGV[10] epoch that it was written under
-- ARGV[11] attempt that wrote it, ticks
-- ARGV[12] save id
-- ARGV[13] file id
-- ARGV[14] editor that reads; '' where it is not known
-- ARGV[15] '1' where what is read may be saved by that editor; '' where it is only shown
--
-- Evidence newer than the record is believed. Such a save was not published yet, or a failover forgot
-- that it was: its intent is noted, so that it is announced in the end. Anything else that we do not
-- know was written by somebody else: it gets the next sequence number, a version made from its
-- fingerprint, and a LastModifiedTime above every earlier one.
--
-- Returns: the file row.
-- Safe to run twice: the second run finds the fingerprint registered.
-- include: moment
-- include: event
-- include: opening
-- include: records
local file = file_row(KEYS[2])
if file[4] ~= ARGV[2] then
  local sequence = tonumber(file[8] or '0')
  if ARGV[5] ~= '' and tonumber(ARGV[7]) > sequence then
    redis.call('HSET', KEYS[2], 'fp', ARGV[2], 'version', ARGV[5], 'lm', ARGV[6], 'size', ARGV[3],
      'seq', ARGV[7], 'sha', ARGV[8], 'session', ARGV[9], 'wepoch', ARGV[10], 'attempt', ARGV[11],
      'save_id', ARGV[12])
    if redis.call('HGET', KEYS[5], 'fid') == ARGV[13] then
      redis.call('ZADD', KEYS[4], 'NX', int(now_us() / 1000), ARGV[12] .. ' ' .. ARGV[13])
    end
  else
    local lm = math.max(tonumber(ARGV[4]), tonumber(file[6] or '0') + 1)
    local version = int(sequence + 1) .. '.x' .. string.sub(redis.sha1hex(ARGV[2] .. int(lm)), 1, 12)
    redis.call('HSET', KEYS[2], 'fp', ARGV[2], 'version', version, 'lm', int(lm), 'size', ARGV[3],
      'seq', int(sequence + 1), 'sha', ARGV[8], 'session', '', 'wepoch', '0', 'attempt', '0',
      'save_id', '')
  end
  file = file_row(KEYS[2])
end
if ARGV[1] ~= '' then reads(KEYS[1], ARGV[1], KEYS[2], KEYS[3], file[5], ARGV[14], ARGV[15]) end
return file
