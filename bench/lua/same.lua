-- One and the same request, given by wrk's own arguments. There is no response() here: it would have every body copied
-- into the script, which for a map of 50,000 seats costs more than serving it. What the answers are is looked at from
-- outside, before and after, and by their size.

dofile(os.getenv("BENCH_LUA") .. "/answers.lua")

function done(summary, latency, requests)
  io.write(string.format(
    'RESULT {"answers":{"any":%d,"4xx or 5xx":%d},"seconds":%.6f,"ran_out":false,"requests":%d,"bytes":%.0f,'
      .. '"timeouts":%d,"broken":%d,"latency_ms":{"p50":%.3f,"p95":%.3f,"p99":%.3f,"max":%.3f}}\n',
    summary.requests - summary.errors.status, summary.errors.status, summary.duration / 1e6, summary.requests,
    summary.bytes, summary.errors.timeout, summary.errors.connect + summary.errors.read + summary.errors.write,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
