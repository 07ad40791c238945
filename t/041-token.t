# Tokens against a real endpoint, t/peers/tokens.py, driven by
# t/peers/tokens-drive.py: both workers, renewals, failures, a killed worker.

use Test::Nginx::Socket;
use Envelope::Tokens;

token_suite(driver => 'tokens-drive.py');

plan tests => repeat_each() * (2 * blocks());

run_tests();

__DATA__

=== TEST 1: 200 calls at once over two workers make one fetch
--- drive: cold



=== TEST 2: renewal under load, the old token lives on
--- drive: renewal
--- token
expires_in /data/expired_time;



=== TEST 3: renewal under load, the old token is invalid at once
--- drive: renewal 1
--- token
expires_in /data/expired_time;



=== TEST 4: the endpoint is down, and comes back
--- drive: down



=== TEST 5: the endpoint is down while the token is still good
--- drive: stale
--- token
expires_in /data/expired_time;
refresh 3s;



=== TEST 6: the endpoint hangs, other requests do not
--- drive: hang
--- token
timeout 1s;



=== TEST 7: answers that hold no token
--- drive: bad



=== TEST 8: answers with no time to live (expires_in)
--- drive: bad in
--- token
expires_in /data/expired_time;



=== TEST 9: answers with no time of expiry (expires_at)
--- drive: bad at



=== TEST 10: the worker that fetches is killed
(under valgrind no worker goes by that name)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: kill



=== TEST 11: 401 drops the token, but not for ever
--- drive: refused



=== TEST 12: 401 for an old token
--- drive: late



=== TEST 13: reload keeps the token, a change drops it
--- drive: reload
--- token
header X-Version one;



=== TEST 14: clients go away, workers exit
--- drive: abort



=== TEST 15: more calls than may wait
--- drive: crowd



=== TEST 16: no copy of a token is left behind
(valgrind keeps what was freed)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: memory
