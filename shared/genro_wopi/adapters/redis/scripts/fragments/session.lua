-- Fragment: in which phase a session is, and how it lives on.
--
-- A *use* of a file lasts from one UNLOCK to the next; the file counts them. A session joins the use in
-- which it asks, and lives on as long as anybody uses the file under its lock: editors refresh and save
-- with one session's token for everybody. So what is noted is one moment of the file, not one of each
-- session. Of the file: `use` its number, `used_us` when it was used last under its lock, `since_us`
-- when that was taken, `least_us` the shortest life of those who joined, `before_us` when the use
-- before was last used. Of the session: `joined`, and `over` once it was told that it expired.
local function lives_until(session, file)
  local s = redis.call('HMGET', session, 'expires_us', 'state', 'joined', 'ttl_us', 'ends_us', 'over')
  local own = tonumber(s[1] or '0')
  if s[2] ~= 'active' or not s[3] or s[6] then return own end
  local f = redis.call('HMGET', file, 'use', 'used_us', 'since_us', 'before_us')
  local use, used = tonumber(f[1] or '0'), nil
  if tonumber(s[3]) == use and own >= tonumber(f[3] or '0') then used = f[2] end
  if tonumber(s[3]) == use - 1 then used = f[4] end
  if not used then return own end
  return math.max(own, math.min(tonumber(used) + tonumber(s[4]), tonumber(s[5])))
end
-- 'active'  may do what its permissions allow
-- 'grace'   ended (draining, or expired by time) less than grace_us ago: may still save
-- 'late'    ended longer ago, but the lock of the use that it joined still holds the file: its editor
--           may carry the text of others with its token, so it may still save
-- 'ended'   may do nothing: unknown, of another file, revoked, or past its grace and without its lock
local function phase_of(session, file, lock, file_id, now, grace_us)
  local s = redis.call('HMGET', session, 'fid', 'state', 'joined')
  if not s[1] or s[1] ~= file_id or (s[2] ~= 'active' and s[2] ~= 'draining') then return 'ended' end
  local expires = lives_until(session, file)
  if s[2] == 'active' and expires > now then return 'active' end
  if expires + tonumber(grace_us) > now then return 'grace' end
  local has_joined = s[3] and s[3] == (redis.call('HGET', file, 'use') or '0')
  if has_joined and redis.call('EXISTS', lock) == 1 then return 'late' end
  return 'ended'
end
-- A session in use lives ttl_us from now, never longer than ends_us. Written at most once per
-- sixteenth of its life, so that busy sessions do not fill the append-only file.
local function slide(session, now, keep_us)
  local s = redis.call('HMGET', session, 'expires_us', 'ttl_us', 'ends_us')
  local ttl = tonumber(s[2])
  local expires = math.min(now + ttl, tonumber(s[3]))
  if expires - tonumber(s[1]) < ttl / 16 then return end
  redis.call('HSET', session, 'expires_us', string.format('%.0f', expires))
  redis.call('PEXPIRE', session, math.ceil((tonumber(s[3]) - now + tonumber(keep_us)) / 1000))
end
-- Whoever asks in a use has joined it.
local function join(session, file)
  local use = redis.call('HGET', file, 'use') or '0'
  local s = redis.call('HMGET', session, 'joined', 'ttl_us')
  if s[1] ~= use then redis.call('HSET', session, 'joined', use) end
  local least = redis.call('HGET', file, 'least_us')
  if not least or tonumber(s[2]) < tonumber(least) then redis.call('HSET', file, 'least_us', s[2]) end
end
-- The file is used under its lock: all who joined live on. Written at most once per sixteenth of the
-- shortest life among them.
local function touch(file, now)
  local f = redis.call('HMGET', file, 'used_us', 'least_us')
  if f[1] and now - tonumber(f[1]) < tonumber(f[2] or '0') / 16 then return end
  redis.call('HSET', file, 'used_us', string.format('%.0f', now))
end
-- What a request of a session that is alive does to its life and to that of the others.
local function lives_on(session, file, lock, now, keep_us)
  slide(session, now, keep_us)
  join(session, file)
  if redis.call('EXISTS', lock) == 1 then touch(file, now) end
end
