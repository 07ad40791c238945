# The token block: what a fetch and a call send, and every error of the
# configuration.  The endpoint and the provider are locations of this nginx.

use Test::Nginx::Socket;

no_long_string();
log_level('info');

add_block_preprocessor(sub {
    my $block = shift;

    my $token = $block->token // '';
    my $request = $block->described // 'request { set header:X-Format one; }';

    my $zone = $block->zone // '';

    $block->set_value('http_config', <<"EOC");
    $zone
    map "" \$id { default app-1; }

    envelope_profile vm {
        secret app data:s3cr3t text;
        secret odd "data:a b#c&d=\\"é%2F" text;
        $request
        token {
            $token
        }
    }
EOC

    $block->set_value('config', <<'EOC' . ($block->more // ''));
    location /call {
        envelope_call vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/api;
    }

    location /api {
        return 200 "$http_authorization|$http_x_token|$http_x_format\n";
    }

    location /token {
        return 200 '{"token":"$request_method.$arg_id.$arg_secret.$http_x_sign.$http_x_a","ttl":3600}';
    }

    location /form {
        proxy_set_header X-Body "$request_body.$content_type";
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
    }

    location /echo {
        return 200 '{"token":"$http_x_body","ttl":"3600.5"}';
    }
EOC

    $block->set_value('request', 'GET /call')
        if !defined $block->request && !defined $block->must_die;

    $block->set_value('suppress_stderr', '1')
        if defined $block->must_die;

    $block->set_value('error_code', 200)
        if !defined $block->error_code && !defined $block->must_die;
});

plan tests => repeat_each() * 105;

run_tests();

__DATA__

=== TEST 1: variables and secrets in the URL, sent as a bearer token
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token?id=$id&secret=<secret:app>;
value /token;
expires_in /ttl;
--- response_body
Bearer GET.app-1.s3cr3t..||one
--- no_error_log
[error]
[alert]



=== TEST 2: in another header, by a member's name, with a lifetime
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value token;
lifetime 2h;
send X-Token $envelope_token;
--- response_body
|GET....|one
--- no_error_log
[error]



=== TEST 3: what a URL cannot hold is escaped, the rest is as written
--- token
url "http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token?secret=<secret:odd>&id=x y";
value /token;
expires_in /ttl;
send X-Token $envelope_token;
--- response_body
|GET.x%20y.a%20b%23c..|one
--- no_error_log
[error]



=== TEST 4: a request of which nothing is described gets its token, too
--- described:
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
--- request
POST /call
not JSON
--- response_body
Bearer GET....||
--- no_error_log
[error]



=== TEST 5: a header that signs other headers (F's)
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
header appId demo;
header X-A 1628652100447;
sign header:X-Sign = sha1 over=<header:appId><secret:app><header:X-A> | hex;
value /token;
expires_in /ttl;
--- response_body eval
use Digest::SHA 'sha1_hex';
'Bearer GET...' . sha1_hex('demos3cr3t1628652100447') . ".1628652100447||one\n"
--- no_error_log
[error]



=== TEST 6: a body, and a header that signs it
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/form;
body "grant=x&id=$id&secret=<secret:app>";
value /token;
expires_in /ttl;
--- response_body
Bearer grant=x&id=app-1&secret=s3cr3t.application/x-www-form-urlencoded||one
--- no_error_log
[error]



=== TEST 7: another method and type
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/form;
method PUT;
header Content-Type text/x;
body x;
value /token;
expires_in /ttl;
--- response_body
Bearer x.text/x||one
--- no_error_log
[error]



=== TEST 8: a body that is signed with a key of the profile
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
body '[1]';
sign header:X-Sign = hs256 key=app over=$id:<body> | hex;
value /token;
expires_in /ttl;
--- response_body eval
use Digest::SHA 'hmac_sha256_hex';
'Bearer POST...' . hmac_sha256_hex('app-1:[1]', 's3cr3t') . ".||one\n"
--- no_error_log
[error]



=== TEST 9: the token in a value of the message, and in no header
--- described: request { set header:X-Token v1:$envelope_token; }
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
send off;
--- more_headers
Authorization: mine
X-Token: mine
--- response_body
mine|v1:GET....|
--- no_error_log
[error]



=== TEST 10: what the application sends itself is replaced
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
--- more_headers
Authorization: mine
--- response_body
Bearer GET....||one
--- no_error_log
[error]



=== TEST 11: a block that is included
--- user_files
>>> token.conf
value /token;
expires_in /ttl;
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
include ../html/token.conf;
--- response_body
Bearer GET....||one
--- no_error_log
[error]



=== TEST 12: $envelope_token is empty elsewhere
--- more
    location /elsewhere {
        return 200 "<$envelope_token>\n";
    }
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
--- request
GET /elsewhere
--- response_body
<>
--- no_error_log
[error]



=== TEST 13: no token: 503, Retry-After, and the reason for the one inside
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/api;
value /token;
expires_in /ttl;
--- error_code: 503
--- response_headers
Retry-After: 1
Content-Type: application/problem+json
--- response_body_like: ^\{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"request: no token: the answer: .*"\}$
--- error_log
[error]
envelope: profile "vm" token cannot be fetched: the answer:
--- no_error_log
[alert]



=== TEST 14: error_page takes it
--- more
    location /handled {
        envelope_call vm;
        error_page 503 =200 @handled;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/api;
    }

    location @handled {
        return 200 "handled: $envelope_reason\n";
    }
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/none;
value /token;
expires_in /ttl;
--- request
GET /handled
--- response_body
handled: request: no token: the endpoint answers with status 404
--- no_error_log
[alert]



=== TEST 15: a variable that is nothing without a request
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token?id=$arg_id;
value /token;
expires_in /ttl;
--- error_code: 503
--- response_body_like: the variable \\"\$arg_id\\" has no value without a request
--- no_error_log
[alert]



=== TEST 16: no url
--- token
value /token;
lifetime 1h;
--- must_die
--- error_log eval
qr/envelope_profile "vm": token: there is no "url" in .*nginx.conf:\d+/



=== TEST 17: no value
--- token
url http://127.0.0.1/;
lifetime 1h;
--- must_die
--- error_log eval
qr/token: there is no "value", the JSON pointer to the token in the answer in .*nginx.conf:\d+/



=== TEST 18: no expiry
--- token
url http://127.0.0.1/;
value /token;
--- must_die
--- error_log
token: there is no "expires_at", "expires_in" or "lifetime"



=== TEST 19: two of them
--- token
url http://127.0.0.1/;
value /token;
expires_in /ttl;
lifetime 1h;
--- must_die
--- error_log
token: "lifetime": the expiry is said already



=== TEST 20: a duplicate
--- token
value /token;
value /token;
--- must_die
--- error_log
token: "value": it is there already



=== TEST 21: an unknown statement
--- token
scope x;
--- must_die
--- error_log
token: "scope": unknown statement, there are: url, method,



=== TEST 22: a URL of another kind
--- token
url file:///etc/passwd;
--- must_die
--- error_log
token: "url": it must begin with "http://" or "https://"



=== TEST 23: a URL without a host
--- token
url http:///token;
--- must_die
--- error_log
token: "url": there is no host in it



=== TEST 24: an unknown secret, where the block stands
--- token
url http://127.0.0.1/?x=<secret:none>;
value /token;
lifetime 1h;
--- must_die
--- error_log eval
qr/token: "url": unknown secret "none", write "secret none ..;" in the profile in .*nginx.conf:\d+/



=== TEST 25: an address in a text
--- token
body <data>;
--- must_die
--- error_log
token: "body": of "<..>" only <secret:NAME> can stand here



=== TEST 26: a signature of a message that is not there
--- token
sign header:X = sha1 over=<data> | hex;
--- must_die
--- error_log
token: "sign": it can write "header:NAME" and sign headers, <body>



=== TEST 27: a header that frames the body
--- token
header content-length 3;
--- must_die
--- error_log
token: "header": "content-length" cannot be set



=== TEST 28: a method
--- token
method DELETE;
--- must_die
--- error_log
token: "method": "DELETE" is not GET, POST, PUT or PATCH



=== TEST 29: times
--- token
timeout 5m;
--- must_die
--- error_log
token: "timeout": "5m" is more than 60 seconds



=== TEST 30: a file without a certificate
--- user_files
>>> ca.pem
nothing
--- token
ca ../html/ca.pem;
--- must_die
--- error_log
token: "ca": "../html/ca.pem" holds no certificate in PEM



=== TEST 31: a proxy with a path
--- token
proxy http://127.0.0.1:3128/x;
--- must_die
--- error_log
token: "proxy": a proxy has no path



=== TEST 32: a key that cannot sign
--- token
url http://127.0.0.1/;
value /token;
lifetime 1h;
sign header:X = rs256 key=app over=$id | base64;
--- must_die
--- error_log eval
qr/token: "sign header:X": .*"app" is a secret where a key is needed in .*nginx.conf:\d+/



=== TEST 33: auth_request and mirror wait for it as well
--- more
    location /both {
        auth_request /auth;
        mirror /mirrored;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/api;
    }

    location /auth {
        internal;
        envelope_call vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/allowed;
    }

    location /mirrored {
        internal;
        envelope_call vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/allowed;
    }

    location /allowed {
        if ($http_authorization != "Bearer GET....") {
            return 403;
        }
        return 204;
    }
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
--- request
GET /both
--- response_body
||
--- no_error_log
[error]
[alert]



=== TEST 34: a 401 that is intercepted drops the token
--- more
    location /intercepted {
        envelope_call vm;
        proxy_intercept_errors on;
        error_page 401 =200 @instead;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/refuses;
    }

    location /refuses {
        return 401;
    }

    location @instead {
        return 200 "instead\n";
    }
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
--- request
GET /intercepted
--- response_body
instead
--- error_log
envelope: profile "vm" token is dropped, the provider has answered a call with status 401
--- no_error_log
[error]



=== TEST 35: the status of a place without an upstream drops nothing
--- more
    location /own {
        envelope_call vm;
        error_page 404 =401 /denied;
        proxy_intercept_errors on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/missing;
    }

    location /missing {
        return 404;
    }

    location /denied {
        return 401;
    }
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
--- request
GET /own
--- error_code: 401
--- no_error_log
is dropped
[error]



=== TEST 36: a zone of another name and size
--- zone: envelope_zone tokens:128k;
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
--- response_body
Bearer GET....||one
--- no_error_log
[error]



=== TEST 37: a zone without a size
--- zone: envelope_zone tokens;
--- must_die
--- error_log
invalid zone "tokens", write "envelope_zone NAME:SIZE"



=== TEST 38: a zone that is too small
--- zone: envelope_zone tokens:8k;
--- must_die
--- error_log
zone "tokens:8k" is too small, it takes at least 64k



=== TEST 39: the token in a member of the message
--- described: request { set /auth/token $envelope_token; }
--- more
    location /json {
        envelope_call vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/body;
    }

    location /body {
        proxy_set_header X-Token $request_body;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/api;
    }
--- token
url http://127.0.0.1:$TEST_NGINX_SERVER_PORT/token;
value /token;
expires_in /ttl;
send off;
--- request
POST /json
{"auth":{"user":"x"},"a":1.0}
--- response_body
|{"auth":{"user":"x","token":"GET...."},"a":1.0}|
--- no_error_log
[error]
