#!/usr/bin/python3
"""Tokens: both workers, renewals, failures, a killed worker; see drive.py."""

import asyncio
import os
import signal
import time

from drive import (ROOT, PORT, api, ask, check, copies, fetches, load, log,
                   main, many, master, owner, statuses, tell, workers, Wrong)


# scenarios

async def cold():
    """200 calls at once over both workers: one fetch"""
    api("/_set?delay=1")
    calls = []
    for _ in range(20):                 # so that both workers get some
        calls += [asyncio.ensure_future(ask()) for _ in range(10)]
        await asyncio.sleep(0.03)
    answers = await asyncio.gather(*calls)
    pids = {a.headers.get("x-pid") for a in answers}
    tell("cold", statuses=statuses(answers), fetches=fetches(),
         workers=len(pids),
         slowest="%.0f ms" % (1000 * max(a.spent for a in answers)))
    check(statuses(answers) == {200: 200}, "not all were answered")
    check(fetches() == 1, "more than one fetch")
    check(len(pids) == 2, "one worker had all of them")


async def renewal(rotate):
    """lifetime 2 s, renewed after 1 s, under load"""
    api("/_set?life=2&unit=in&delay=0.05&api_delay=0.01&rotate=" + rotate)
    answers = await load(4.5)
    n = fetches()
    tell("renewal", statuses=statuses(answers), fetches=n,
         slowest="%.0f ms" % (1000 * max(a.spent for a in answers)))
    check(set(statuses(answers)) == {200}, "a call failed")
    check(4 <= n <= 5, "not one fetch an expiry")


async def down():
    """refused connections, then the endpoint comes back"""
    api("/_down")
    began = time.monotonic()
    answers = []
    while time.monotonic() - began < 4:
        answers += await many(3)
        await asyncio.sleep(0.05)
    tell("down", statuses=statuses(answers), slowest="%.0f ms"
         % (1000 * max(a.spent for a in answers)))
    check(set(statuses(answers)) == {503}, "not 503")
    check(all("retry-after" in a.headers for a in answers), "no Retry-After")
    check(all(a.headers["content-type"] == "application/problem+json"
              for a in answers), "no problem+json")
    api("/_up")
    began = time.monotonic()
    while (await ask()).status != 200:
        check(time.monotonic() - began < 5, "does not recover")
        await asyncio.sleep(0.02)
    spent = time.monotonic() - began
    errors = [line for line in log().split("\n")
              if "[error]" in line and "token" in line]
    again = log().count("has been fetched again")
    tell("back", after="%.2f s" % spent, errors=len(errors), notices=again)
    check(spent < 2, "recovers too late")
    check(len(errors) == 1 and again == 1, "not logged once")
    check(api("/_state")["calls"] == 1, "the provider was called without")


async def stale():
    """down while the old token is still good: no call fails, and none is
    slow, until it comes back"""
    api("/_set?life=4&unit=in")
    check((await ask()).status == 200, "no token")
    api("/_down")
    answers = await load(3.4, 3, 0.02)
    tell("stale", statuses=statuses(answers),
         slowest="%.0f ms" % (1000 * max(a.spent for a in answers)))
    check(set(statuses(answers)) == {200}, "a call failed")
    api("/_up")
    answers = await load(2.5, 3, 0.02)
    tell("after", statuses=statuses(answers), fetches=fetches())
    check(answers[-1].status == 200, "does not recover")


async def hang():
    """an endpoint that says nothing, and other requests meanwhile"""
    api("/_set?mode=hang")
    calls = [asyncio.ensure_future(ask()) for _ in range(40)]
    plain = []
    end = time.monotonic() + 0.9
    while time.monotonic() < end:
        plain.append((await ask("/plain")).spent)
        await asyncio.sleep(0.002)
    answers = await asyncio.gather(*calls)
    plain.sort()
    tell("hang", statuses=statuses(answers), plain=len(plain),
         median="%.1f ms" % (1000 * plain[len(plain) // 2]),
         p99="%.1f ms" % (1000 * plain[len(plain) * 99 // 100]))
    check(set(statuses(answers)) == {504}, "not 504")
    check(fetches() == 1, "more than one fetch")
    check(plain[len(plain) * 99 // 100] < 0.05, "others wait")
    check(0.9 < max(a.spent for a in answers) < 2.5, "waits for how long")
    api("/_set?mode=ok")
    began = time.monotonic()
    while (await ask()).status != 200:
        check(time.monotonic() - began < 2, "does not recover")
        await asyncio.sleep(0.02)


async def unresolved():
    """the endpoint's name is being looked up, for longer than the timeout"""
    calls = [asyncio.ensure_future(ask()) for _ in range(40)]
    plain = []
    end = time.monotonic() + 0.9
    while time.monotonic() < end:
        plain.append(await ask("/plain"))
        await asyncio.sleep(0.002)
    answers = await asyncio.gather(*calls)

    # the thread that looks it up is left behind, and nobody waits for it

    end = time.monotonic() + 1
    while time.monotonic() < end:
        plain.append(await ask("/plain"))
        await asyncio.sleep(0.002)
    spent = sorted(a.spent for a in plain)
    tell("unresolved", statuses=statuses(answers), slowest="%.2f s"
         % max(a.spent for a in answers), plain=len(plain),
         median="%.1f ms" % (1000 * spent[len(spent) // 2]),
         p99="%.1f ms" % (1000 * spent[len(spent) * 99 // 100]),
         worst="%.1f ms" % (1000 * spent[-1]))
    check(set(statuses(answers)) == {504}, "not 504")
    check(0.9 < max(a.spent for a in answers) < 3, "waits for how long")
    check(set(statuses(plain)) == {200}, "others fail")
    check(spent[-1] < 3, "others wait")      # 7 s and more, if one did
    check("token cannot be fetched: Timeout was reached" in log(),
          "what the log says")
    check(fetches() == 0, "it was fetched")


BAD = ["mode=reset", "mode=big", "mode=json", "mode=text", "mode=number",
       "mode=empty", "mode=redirect", "mode=status&status=401",
       "mode=status&status=500", "suffix=%0d%0aX-Evil:%201", "suffix=%00",
       "suffix=%1b"]

NO_TIME = {
    "in": ["unit=in&life=-1", "unit=in&life=0", "unit=in&life=1e3",
           "unit=in&life=9223372036854775808", "unit=in&life=null",
           "unit=in&life=%22soon%22"],
    "at": ["unit=s&life=-1", "unit=s&life=9223372036854775808", "unit=in&life=0",
           "unit=ms&life=-1"],
}


async def bad(what):
    """answers that hold no token, or no time"""
    hows = NO_TIME[what] if what in NO_TIME else BAD
    for how in hows:
        api("/_reset")
        api("/_set?" + how)
        await asyncio.sleep(0.05)
        answers = []
        for _ in range(3):
            answers += await many(2)
            await asyncio.sleep(0.06)
        state = api("/_state")
        if set(statuses(answers)) != {503} or state["calls"]:
            raise Wrong("%s: %s, calls %d" % (how, statuses(answers),
                                              state["calls"]))
        check(state["redirected"] == 0, "a redirect was followed")
        check(all(b"canary" not in a.body for a in answers), how + " leaks")
        check(all("retry-after" in a.headers for a in answers), how)
    tell("bad", answers=len(hows))
    api("/_reset")
    await asyncio.sleep(1.6)
    check((await ask()).status == 200, "does not recover")


async def kill():
    """kill -9 of the worker in the middle of its fetch"""
    api("/_set?delay=3")
    calls = [asyncio.ensure_future(ask()) for _ in range(40)]
    pid, began = None, time.monotonic()
    while time.monotonic() - began < 2.5:
        await asyncio.sleep(0.01)
        ports = api("/_state")["ports"]
        if ports:
            pid = owner(ports[0])
        if pid:
            break
    check(pid, "no worker fetches")
    api("/_set?delay=0.1")
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    more = await many(20)               # while the lease is a dead one's
    answers = await asyncio.gather(*calls)
    spent = time.monotonic() - began
    tell("kill", waited=statuses(answers), came=statuses(more),
         after="%.2f s" % spent, fetches=fetches())
    check(set(statuses(answers)) <= {0, 200}, "an answer is wrong")
    check(statuses(more) == {200: 20}, "nobody takes over")
    check(fetches() == 2, "not one more fetch")
    check(spent < 2, "too late")
    check(statuses(await many(20)) == {200: 20}, "not as before")


async def refused():
    """401: revoked tokens are replaced; endless refusal is no storm"""
    check((await ask()).status == 200, "no token")
    for i in range(3):
        api("/_revoke")
        got = [(await ask()).status, (await ask()).status,
               (await ask()).status]
        check(got == [401, 200, 200], "round %d: %s" % (i, got))
    check(fetches() == 4, "not one fetch for each")
    api("/_set?refuse=1")
    before = fetches()
    answers = await load(3, 4)
    tell("refused", statuses=statuses(answers), fetches=fetches() - before)
    check(fetches() - before <= 4, "a storm of fetches")
    check(set(statuses(answers)) <= {401, 503}, "what else")


async def late():
    """a 401 for an old token leaves the new one alone"""
    check((await ask()).status == 200, "no token")
    api("/_set?api_delay=0.4")
    slow = [asyncio.ensure_future(ask()) for _ in range(5)]
    await asyncio.sleep(0.1)
    api("/_revoke")
    api("/_set?api_delay=0")
    got = [(await ask()).status, (await ask()).status]
    check(got == [401, 200], "got %s" % got)
    answers = await asyncio.gather(*slow)
    after = (await ask()).status
    tell("late", statuses=statuses(answers), after=after, fetches=fetches())
    check(set(statuses(answers)) == {401} and after == 200, "what")
    check(fetches() == 2, "the new one was dropped")


async def reload():
    """reloads keep the token; another configuration drops it"""
    conf = os.path.join(ROOT, "conf", "nginx.conf")
    running = asyncio.ensure_future(load(2.5, 4, 0.01))
    for _ in range(2):
        await asyncio.sleep(0.5)
        os.kill(master(), signal.SIGHUP)
    answers = await running
    tell("reload", statuses=statuses(answers), fetches=fetches())
    check(set(statuses(answers)) == {200}, "a call failed")
    check(fetches() == 1, "the token was not kept")
    with open(conf) as f:
        text = f.read()
    check("X-Version one" in text, "no such header")
    with open(conf, "w") as f:
        f.write(text.replace("X-Version one", "X-Version two"))
    os.kill(master(), signal.SIGHUP)
    await asyncio.sleep(0.5)
    answers = await many(10)
    state = api("/_state")
    tell("changed", statuses=statuses(answers), fetches=state["fetches"])
    check(statuses(answers) == {200: 10}, "a call failed")
    check(state["fetches"] == 2, "the token was kept")
    check(state["last"]["headers"].get("X-Version") == "two", "the old one")


async def abort():
    """clients that go away while they wait, and a worker that exits"""
    api("/_set?delay=0.5")
    writers = []
    for _ in range(30):
        _, w = await asyncio.open_connection("127.0.0.1", PORT)
        w.write(b"POST /call/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                b"\r\n{}")
        writers.append(w)
    stays = asyncio.ensure_future(ask())
    await asyncio.sleep(0.1)
    for w in writers:
        w.close()
    old = workers()
    os.kill(master(), signal.SIGHUP)
    answer = await stays
    tell("abort", status=answer.status, fetches=fetches())
    check(answer.status == 200, "the one that waited on")
    check(fetches() == 1, "more than one fetch")
    for _ in range(100):
        if not set(old) & set(workers()):
            break
        await asyncio.sleep(0.05)
    check(not set(old) & set(workers()), "the old workers do not exit")
    check(statuses(await many(10)) == {200: 10}, "not as before")
    check(api("/_state")["calls"] < 20, "calls of clients that went away")


async def crowd():
    """more than may wait: 503 at once"""
    api("/_set?delay=1")
    answers = await many(2300)
    found = statuses(answers)
    quick = [a for a in answers if a.status == 503]
    tell("crowd", statuses=found, fetches=fetches())
    check(set(found) == {200, 503}, "what")
    check(all("retry-after" in a.headers for a in quick), "no Retry-After")
    check(fetches() == 1, "more than one fetch")


async def memory():
    """once calls have ended there is no token but in the zone, which core
    files leave out"""
    api("/_set?delay=0.1")
    answers = await many(40, body=b'{"a":1}')
    check(statuses(answers) == {200: 40}, "a call failed")
    api("/_revoke")
    await ask()
    check((await ask()).status == 200, "no other token")
    await asyncio.sleep(0.1)
    found = [copies(pid) for pid in workers()]
    tell("memory", own_dumped_hidden=found, fetches=fetches())
    check(found == [(0, 0, 1)] * 2, "there are copies")


main(globals(), alerts=("kill",))
