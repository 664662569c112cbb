-- Fragment: appends one event to the partition's stream. `sequence` counts the events of the file.
local function emit(events, file, name, context, at_us, ...)
  redis.call('XADD', events, '*', 'name', name, 'context', context,
    'sequence', redis.call('HINCRBY', file, 'event_seq', 1),
    'path', redis.call('HGET', file, 'path') or '', 'at_us', string.format('%.0f', at_us), ...)
end
