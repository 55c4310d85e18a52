-- Makes wrk ask for another number in each request, and print the 95th percentile.
-- After "--": the method, the path with {n} for the number, how many there are, a file with the body.
function init(args)
  local method, path, count = args[1], args[2], tonumber(args[3])
  local headers, body = {}, nil
  if args[4] then
    local file = assert(io.open(args[4], "rb"))
    body = file:read("*a")
    file:close()
    headers["Content-Type"] = "application/json"
  end
  requests, at = {}, 0
  for n = 1, count do
    -- Not one after the other: neighbours are in the same page of the database.
    local number = n * 7919 % count + 1
    requests[n] = wrk.format(method, (path:gsub("{n}", tostring(number))), headers, body)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, requests)
  io.write(string.format("  95%% is %d us\n", latency:percentile(95)))
end
