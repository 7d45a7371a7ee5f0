-- Requests that were made beforehand: those from BENCH_FROM up to BENCH_TO of the file BENCH_REQUESTS, each once, or
-- with BENCH_AGAIN round and round.

dofile(os.getenv("BENCH_LUA") .. "/answers.lua")

local requests, place, last, first, again

function init()
  local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
  requests = {}
  while true do
    local length = file:read("*n")
    if not length then break end
    file:read(1)
    requests[#requests + 1] = file:read(length)
  end
  file:close()
  first = tonumber(os.getenv("BENCH_FROM"))
  place, last = first, tonumber(os.getenv("BENCH_TO"))
  again = os.getenv("BENCH_AGAIN") == "1"
end

function request()
  begin()
  if place >= last then
    if not again then
      ran_out = true
      return IDLE
    end
    place = first
  end
  place = place + 1
  return requests[place]
end

function response(status, headers, body)
  if ran_out and body:find('"status":"ok"', 1, true) then
    wrk.thread:stop()
    return
  end
  local name = tostring(status)
  if status >= 400 then
    name = name .. " " .. (body:match('"code":"([a-z_]+)"') or "")
  elseif headers["idempotency-replayed"] or headers["Idempotency-Replayed"] then
    name = name .. " replayed"
  end
  count(name)
end
