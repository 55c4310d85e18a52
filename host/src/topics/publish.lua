-- Publish an event of an app's topic, once: number it, keep it within bounds, and tell all hosts that have subscribed.
--
-- KEYS: the topic's events (a stream), the app's topics (a sorted set by last number), bytes by topic ("" is the sum), and the
-- number of the last event of this publisher.
-- ARGV: type, data, bytes, topic, number of the event at its publisher, prefix of all streams of the app, channel, and the most
-- events and bytes of a topic, bytes and topics of the app.
local events, index, bytes, publisher = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local kind, data, size, topic = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local DAY = 86400

-- A publisher that lost its connection tries again.
if tonumber(redis.call('GET', publisher) or '0') >= tonumber(ARGV[5]) then
  return 0
end
local function held(name)
  return tonumber(redis.call('HGET', bytes, name) or '0')
end
local function add(name, count)
  if count ~= 0 then
    redis.call('HINCRBY', bytes, name, count)
    redis.call('HINCRBY', bytes, '', count)
  end
end

if redis.call('EXISTS', events) == 0 then
  -- The stream has expired.
  add(topic, -held(topic))
end
local time = redis.call('TIME')
local last = tonumber(redis.call('ZSCORE', index, topic) or '0')
local number = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('XADD', events, number .. '-0', 'k', kind, 'd', data, 's', size)
redis.call('ZADD', index, number, topic)
add(topic, size)
while redis.call('XLEN', events) > tonumber(ARGV[8])
  or (held(topic) > tonumber(ARGV[9]) and redis.call('XLEN', events) > 1) do
  local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  redis.call('XDEL', events, first[1])
  add(topic, -tonumber(first[2][6]))
end
while redis.call('ZCARD', index) > tonumber(ARGV[11]) or held('') > tonumber(ARGV[10]) do
  local oldest = redis.call('ZRANGE', index, 0, 0)[1]
  if oldest == topic then
    break
  end
  redis.call('DEL', ARGV[6] .. oldest)
  redis.call('ZREM', index, oldest)
  add(oldest, -held(oldest))
  redis.call('HDEL', bytes, oldest)
end
redis.call('SET', publisher, ARGV[5], 'EX', DAY)
redis.call('EXPIRE', events, DAY)
redis.call('EXPIRE', index, 2 * DAY)
redis.call('EXPIRE', bytes, 2 * DAY)
redis.call('PUBLISH', ARGV[7], number .. '\n' .. kind .. '\n' .. data)
return 1
