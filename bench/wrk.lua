-- wrk -s wrk.lua URL -- [BODY [NAME VALUE]]
--
-- Posts what the file BODY holds, with one more header; without it, gets.
-- The last line of output is for bench/run: JSON.

function init(args)
    if args[1] then
        local f = assert(io.open(args[1], "rb"))
        wrk.method = "POST"
        wrk.body = f:read("*a")
        f:close()
        wrk.headers["Content-Type"] = "application/json"
    end

    if args[2] then
        wrk.headers[args[2]] = args[3]
    end
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"us":%d,"p50":%d,"p99":%d,"failed":%d}\n',
        summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
