# envelope_webhook: what comes from outside, on every way it can take.  A
# stranger learns nothing but a status, and the application nothing at all of
# what does not open.

use Test::Nginx::Socket;
use Envelope::Upstream;

use Compress::Zlib;
use Digest::SHA;
use MIME::Base64;

sub sealed { '{"data":"' . encode_base64($_[0], '') . '"}' }

# {"data":".."} of the length given, and what is in it

sub of_length { sealed('"' . 'x' x (($_[0] - 11) / 4 * 3 - 2) . '"') }

sub chunked {
    return join('', map { sprintf("%x\r\n%s\r\n", length $_, $_) } @_)
           . "0\r\n\r\n";
}

our $wire = sealed('{"a":1}');

our %problem = (
    400 => '{"type":"about:blank","title":"Bad Request","status":400}',
    401 => '{"type":"about:blank","title":"Unauthorized","status":401}',
    413 => '{"type":"about:blank","title":"Content Too Large","status":413}',
    500 => '{"type":"about:blank","title":"Internal Server Error",'
           . '"status":500}',
);

start_upstream(
    '/once' => sub {
        my $request = shift;
        return $request->{n} == 1 ? RESET : http_ok($request->{body});
    },
    '/503' => sub {
        return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n"
               . "Connection: close\r\n\r\nbusy";
    },
    '/accel' => sub { http_ok('', "X-Accel-Redirect: /after\r\n") },
    '/json' => sub {
        http_ok('{"ok":true}', "ETag: \"e\"\r\nContent-MD5: m\r\n"
                . "Accept-Ranges: bytes\r\nX-Other: kept\r\n"
                . "Content-Type: text/plain; charset=utf-8\r\n")
    },
    '/text' => sub { http_ok('secret text', "X-Secret: 1\r\n") },
    '/404' => sub {
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nX-Why: no\r\n"
        . "Connection: close\r\n\r\nnone"
    },
    '/204' => sub { "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n" },
    '/none' => sub { http_ok('') },
    '/short' => sub {
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"secret\":1"
    },
    '/gzip' => sub {
        http_ok(Compress::Zlib::memGzip('{"ok":true}'),
                "Content-Encoding: gzip\r\n")
    },
    '/br' => sub { http_ok('{"ok":true}', "Content-Encoding: br\r\n") },
    '/large' => sub { http_ok('{"n":"' . 'x' x 5000 . '"}') },
    '/206' => sub {
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n"
        . "Content-Range: bytes 0-1/9\r\nConnection: close\r\n\r\n{}"
    },
);

add_block_preprocessor(sub {
    my $block = shift;

    my $http = $block->http_config // '';

    $block->set_value('http_config', <<'_EOC_' . $http);
    envelope_profile hook {
        secret app data:c2VjcmV0LXNlY3JldA== base64;
        webhook { body data; field data = json | base64; }
    }

    envelope_profile reply {
        webhook { body data; field data = json | base64; }
        reply { body data; field data = json | base64; }
    }

    envelope_profile signed {
        secret app data:c2VjcmV0LXNlY3JldA== base64;
        webhook { sign header:X-Sign = hs256 key=app over=<body> | hex; }
    }

    upstream up {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
_EOC_

    # that the module advises against all this is known
    $block->set_value('suppress_stderr', 1);

    # "refused: STATUS REASON": silently, and without a word of why
    if (defined $block->refused) {
        my ($status, $reason) = $block->refused =~ /^(\d+) (.*)$/m;

        $block->set_value('error_code', $status);
        $block->set_value('raw_response_headers_like',
            "^HTTP/1.1 $status [^\r]+\r\nServer: [^\r]+\r\nDate: [^\r]+\r\n"
            . "Content-Type: application/problem\\+json\r\n"
            . "Content-Length: " . length($main::problem{$status})
            . "\r\nConnection: close\r\n\\z");
        $block->set_value('response_body', $main::problem{$status});
        $block->set_value('error_log',
            qr/\[error\].* envelope: profile "\w+" webhook webhook: $reason/);
        $block->set_value('no_error_log', "[alert]\nconnect to 127.0.0.1");
    }

    $block->set_value('no_error_log', "[alert]\n[error]\n[crit]")
        if !defined $block->no_error_log && !defined $block->error_log;
});

no_long_string();

plan tests => repeat_each() * 288;

run_tests();

__DATA__

=== TEST 1: the application gets the plain body, framed anew
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/raw;
    }
--- request eval
"POST /t\n$::wire"
--- more_headers
Content-Type: text/plain
Content-MD5: abc
Digest: abc
X-Other: kept
--- response_body eval
qr/\APOST \/raw HTTP\/1\.[01]\r
Host: up\r
(?:Connection: close\r
)?Content-Length: 7\r
X-Other: kept\r
Content-Type: application\/json\r
\r
\{"a":1\}\z/



=== TEST 2: in a file, and exactly client_max_body_size
--- config
    location /t {
        client_max_body_size 4011;
        client_body_buffer_size 1k;
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request eval
"POST /t\n" . main::of_length(4011)
--- response_body_like eval
'^"x{2998}"$'
--- error_log
buffered to a temporary file
--- no_error_log
[error]



=== TEST 3: a byte more
--- config
    location /t {
        client_max_body_size 4010;
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request eval
"POST /t\n" . main::of_length(4011)
--- error_code: 413
--- response_headers
Content-Type: application/problem+json
--- response_body eval
$::problem{413}
--- error_log
client intended to send too large body
--- no_error_log
connect to 127.0.0.1



=== TEST 4: in chunks, cut anywhere
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/raw;
        proxy_request_buffering off;
        proxy_http_version 1.1;
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n",
 main::chunked($::wire =~ /(.{1,3})/g) =~ /(.{1,8})/gs]
--- raw_request_middle_delay
0.002
--- response_body_like chop
^POST (?!.*Transfer-Encoding).*Content-Length: 7\r
.*\{"a":1\}$



=== TEST 5: client_body_in_file_only
--- config
    location /t {
        client_body_in_file_only clean;
        envelope_webhook hook;
        proxy_pass http://up/echo;
        proxy_set_header X-File $request_body_file;
    }
--- request eval
"POST /t\n$::wire"
--- response_body chop
{"a":1}



=== TEST 6: no JSON
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"data":"eyJhIjoxfQ=="
--- refused
400 JSON



=== TEST 7: a member is missing
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"Data":"eyJhIjoxfQ=="}
--- refused
400 field data: 



=== TEST 8: a member is there twice, once with an escape
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"data":"eyJhIjoxfQ==","d\u0061ta":"eyJhIjoyfQ=="}
--- refused
400 .*



=== TEST 9: a member is no string
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"data":{"a":1}}
--- refused
400 field data: 



=== TEST 10: no base64
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"data":"eyJhIjoxfQ==EVIL"}
--- refused
401 field data: 



=== TEST 11: base64 of what is not JSON
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"data":"eyJhIjoxfQoK/w=="}
--- refused
401 field data: 



=== TEST 12: no body
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
POST /t
--- refused
400 .*



=== TEST 13: GET
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
GET /t?data=eyJhIjoxfQ==
--- refused
400 .*



=== TEST 14: HEAD
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- request
HEAD /t
--- error_code: 400
--- response_headers
Content-Type: application/problem+json
Content-Length: 57
--- response_body
--- error_log
envelope: profile "hook" webhook webhook: 
--- no_error_log
connect to 127.0.0.1



=== TEST 15: a compressed one
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- raw_request eval
my $body = Compress::Zlib::memGzip($::wire);
"POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Content-Encoding: gzip\r\nContent-Length: " . length($body)
. "\r\n\r\n" . $body
--- refused
400 .*



=== TEST 16: every method
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/raw;
    }
--- request eval
["PUT /t\n$::wire", "PATCH /t\n$::wire", "DELETE /t\n$::wire",
 "GET /t\n$::wire"]
--- response_body_like eval
["^PUT .*\r\n\r\n\\{\"a\":1\\}\$", "^PATCH .*\r\n\r\n\\{\"a\":1\\}\$",
 "^DELETE .*\r\n\r\n\\{\"a\":1\\}\$", "^GET .*\r\n\r\n\\{\"a\":1\\}\$"]



=== TEST 17: HTTP/2, with a length, without one, and refused
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;

        location /t {
            envelope_webhook hook;
            proxy_pass http://up/echo;
        }
    }
--- config
    location /h2 {
        proxy_pass http://up/h2?port=$TEST_NGINX_RAND_PORT_1&uri=/t;
    }

    location /stream {
        proxy_pass http://up/h2?port=$TEST_NGINX_RAND_PORT_1&uri=/t&stream;
    }
--- request eval
["POST /h2\n$::wire", "POST /stream\n$::wire", "POST /h2\n{\"data\":\"!\"}"]
--- response_body_like eval
["^HTTP/2 200 .*\r\n\r\n\\{\"a\":1\\}\$", "^HTTP/2 200 .*\r\n\r\n\\{\"a\":1\\}\$",
 "^HTTP/2 401 \r\n.*\r\n\r\n" . quotemeta($::problem{401}) . "\$"]
--- no_error_log
[alert]



=== TEST 18: pipelined behind a refusal
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- pipelined_requests eval
["POST /t\n$::wire", "POST /t\n{\"data\":\"!\"}", "POST /t\n$::wire"]
--- error_code eval
[200, 401, 200]
--- response_body eval
["{\"a\":1}", $::problem{401}, "{\"a\":1}"]
--- no_error_log
[alert]



=== TEST 19: a retry sends the same plain body
--- http_config
    upstream twice {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://twice/once;
        proxy_next_upstream error timeout non_idempotent;
    }

    location /seen {
        proxy_pass http://up/seen/once;
    }
--- request eval
["POST /t\n$::wire", "GET /seen"]
--- response_body eval
["{\"a\":1}", "2\n{\"a\":1}\n{\"a\":1}\n"]
--- no_error_log
[alert]



=== TEST 20: never opened twice: error_page, named location, X-Accel-Redirect
--- config
    envelope_webhook hook;

    location /page {
        proxy_pass http://up/503;
        proxy_intercept_errors on;
        error_page 503 = @fallback;
    }

    location @fallback {
        rewrite ^ /echo break;
        proxy_pass http://up;
    }

    location /try {
        try_files /nothing @fallback;
    }

    location /accel {
        proxy_pass http://up;
    }

    location /after {
        internal;
        proxy_pass http://up/echo;
    }
--- request eval
["POST /page\n$::wire", "POST /try\n$::wire", "POST /accel\n$::wire"]
--- response_body eval
["{\"a\":1}", "{\"a\":1}", "{\"a\":1}"]



=== TEST 21: what a profile has opened is not what another one would open
--- http_config
    envelope_profile other {
        webhook { body data; field data = json | hex; }
    }
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/503;
        proxy_intercept_errors on;
        error_page 503 = @fallback;
    }

    location @fallback {
        envelope_webhook other;
        proxy_pass http://up;
    }
--- request eval
"POST /t\n$::wire"
--- error_code: 400
--- response_body eval
$::problem{400}
--- error_log
envelope: profile "other" webhook webhook: 
--- no_error_log
[alert]



=== TEST 22: an error page of a refusal, a file
--- config
    envelope_webhook hook;

    location /t {
        proxy_pass http://up/echo;
        error_page 401 /no.txt;
    }
--- user_files
>>> no.txt
no
--- request
POST /t
{"data":"!"}
--- error_code: 401
--- response_body
no
--- error_log
envelope: profile "hook" webhook webhook: 
--- no_error_log
connect to 127.0.0.1



=== TEST 23: an error page of a refusal, an upstream, which gets no body
--- config
    envelope_webhook hook;

    location /t {
        proxy_pass http://up/echo;
        error_page 401 = @page;
    }

    location @page {
        rewrite ^ /raw break;
        proxy_pass http://up;
    }
--- request
POST /t
{"data":"!","secret":1}
--- response_body_like chop
^POST (?!.*secret)(?!.*data).*Content-Length: 0\r
\r
$
--- error_log
envelope: profile "hook" webhook webhook: 



=== TEST 24: recursive error pages
--- config
    envelope_webhook hook;
    recursive_error_pages on;

    location /t {
        proxy_pass http://up/echo;
        error_page 401 = @page;
    }

    location @page {
        return 403;
    }
--- request
POST /t
{"data":"!"}
--- error_code: 403
--- response_body_like chop
403 Forbidden
--- error_log
envelope: profile "hook" webhook webhook: 



=== TEST 25: a mirror sees nothing of what is refused
--- config
    location /t {
        envelope_webhook hook;
        mirror /m;
        proxy_pass http://up/echo;
    }

    location /m {
        internal;
        proxy_pass http://up/mirror;
    }
--- request
POST /t
{"data":"!"}
--- refused
401 field data: 



=== TEST 26: auth_request comes first, and is asked without a body
--- config
    location /t {
        envelope_webhook hook;
        auth_request /auth;
        proxy_pass http://up/echo;
    }

    location /auth {
        internal;
        proxy_pass http://up/auth;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
--- request eval
"POST /t\n$::wire"
--- error_code: 500
--- response_body_like chop
500
--- error_log
auth request unexpected status: 404



=== TEST 27: members for routing and logs
--- http_config
    map $envelope_member_event $path {
        paid     /echo;
        default  /nowhere;
    }
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up$path;
        proxy_set_header X-Event $envelope_member_event;
    }
--- request eval
"POST /t\n" . main::sealed('{"event":"p\u0061id"}')
--- response_body chop
{"event":"p\u0061id"}



=== TEST 28: a signature in a header field, any body: right and wrong
--- config
    location /t {
        envelope_webhook signed;
        proxy_pass http://up/raw;
    }
--- more_headers eval
my $sign = Digest::SHA::hmac_sha256_hex('any text', 'secret-secret');
["X-Sign: $sign\nContent-Type: text/plain",
 "X-Sign: \u$sign\nContent-Type: text/plain",
 "X-Sign: ${sign}0\nContent-Type: text/plain",
 "Content-Type: text/plain", "X-Sign: $sign\nX-Sign: $sign"]
--- request eval
["POST /t\nany text", "POST /t\nany texT", "POST /t\nany text",
 "POST /t\nany text", "POST /t\nany text"]
--- error_code_like eval
["200", "401", "401", "40[01]", "40[01]"]
--- response_body_like eval
["^POST (?!.*Sign).*Content-Length: 8\r\n.*Content-Type: text/plain\r\n"
 . "\r\nany text\$", ("^\\{\"type\":\"about:blank\",\"title\":\"[A-Z]") x 4]
--- no_error_log
[alert]



=== TEST 29: Expect, and a request behind it
--- config
    location /t {
        envelope_webhook hook;
        proxy_pass http://up/echo;
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Expect: 100-continue\r\nContent-Length: " . length($::wire)
 . "\r\n\r\n", $::wire]
--- raw_request_middle_delay
0.1
--- error_code: 100
--- response_body_like chop
^HTTP/1.1 200 OK\r
.*\{"a":1\}$



=== TEST 30: the reply is sealed, whoever makes it
--- config
    envelope_webhook reply;

    location /app {
        proxy_pass http://up/json;
    }

    location /return {
        return 200 '{"ok":true}';
    }

    location /file {
        alias $TEST_NGINX_SERVER_ROOT/html/ok.json;
    }
--- user_files eval
[["ok.json", '{"ok":true}']]
--- request eval
["POST /app\n$::wire", "POST /return\n$::wire", "GET /return",
 "POST /app\n$::wire"]
--- more_headers
Range: bytes=0-3
--- raw_response_headers_like eval
["^HTTP/1.1 200 (?!.*(?:ETag|MD5|Ranges|charset)).*Content-Type: application/json\r\n.*Content-Length: 27\r\n.*X-Other: kept\r\n",
 ("Content-Length: 27\r\n") x 3]
--- response_body eval
[('{"data":"eyJvayI6dHJ1ZX0="}') x 4]



=== TEST 31: a file as the reply
--- config
    location /file {
        envelope_webhook reply;
        alias $TEST_NGINX_SERVER_ROOT/html/ok.json;
        error_page 405 =200 @file;
    }

    location @file {
        envelope_webhook reply;
        root $TEST_NGINX_SERVER_ROOT/html;
        try_files /ok.json =404;
    }
--- user_files eval
[["ok.json", '{"ok":true}']]
--- request eval
"GET /file\n$::wire"
--- more_headers
Range: bytes=0-3
--- response_headers
!Accept-Ranges
!ETag
!Last-Modified
Content-Length: 27
--- response_body chop
{"data":"eyJvayI6dHJ1ZX0="}



=== TEST 32: an empty reply, 204, 404
--- config
    location /t {
        envelope_webhook reply;
        proxy_pass http://up/;
    }
--- request eval
["POST /tnone\n$::wire", "POST /t204\n$::wire", "POST /t404\n$::wire"]
--- error_code eval
[200, 204, 404]
--- response_headers eval
["Content-Length: 15", "!Content-Type", "X-Why: no"]
--- response_body eval
['{"data":"e30="}', "", "none"]



=== TEST 33: a reply that cannot be sealed
--- config
    location /t {
        envelope_webhook reply;
        proxy_pass http://up/text;
    }
--- request eval
"POST /t\n$::wire"
--- error_code: 500
--- response_headers
!X-Secret
Content-Type: application/problem+json
--- response_body eval
$::problem{500}
--- error_log eval
qr/\[error\].* envelope: profile "reply" webhook reply: /
--- no_error_log
[alert]



=== TEST 34: replies that are cut, too large, coded, partial
--- config
    location /t {
        envelope_webhook reply;
        envelope_max_response_size 4k;
        proxy_pass http://up/;
    }
--- request eval
["POST /tshort\n$::wire", "POST /tlarge\n$::wire", "POST /tbr\n$::wire",
 "POST /t206\n$::wire"]
--- error_code eval
[(500) x 4]
--- response_body eval
[($::problem{500}) x 4]
--- error_log
envelope: profile "reply" webhook reply: 
--- no_error_log
[alert]



=== TEST 35: a reply in gzip
--- config
    location /t {
        envelope_webhook reply;
        proxy_pass http://up/gzip;
    }
--- more_headers
Accept-Encoding: gzip
--- request eval
"POST /t\n$::wire"
--- response_headers
!Content-Encoding
--- response_body chop
{"data":"eyJvayI6dHJ1ZX0="}



=== TEST 36: error_page of a reply that cannot be sealed is sealed itself
--- config
    envelope_webhook reply;

    location /t {
        proxy_pass http://up/text;
        error_page 500 =200 @page;
    }

    location @page {
        return 200 '{"ok":false}';
    }
--- request eval
"POST /t\n$::wire"
--- response_body chop
{"data":"eyJvayI6ZmFsc2V9"}
--- error_log
envelope: profile "reply" webhook reply: 
--- no_error_log
[alert]



=== TEST 37: SSI in a reply is done by whoever makes it
--- config
    location /t {
        envelope_webhook reply;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/page;
    }

    location /page {
        ssi on;
        ssi_types *;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/page.json;
        error_page 405 =200 $uri;
    }

    location /sub {
        return 200 true;
    }
--- user_files eval
[["page.json", '{"ok":<!--# include virtual="/sub" -->}']]
--- request eval
"GET /t\n$::wire"
--- response_body chop
{"data":"eyJvayI6dHJ1ZX0="}



=== TEST 38: a signature over a body that is in two buffers: right and wrong
--- config
    location /t {
        envelope_webhook signed;
        proxy_pass http://up/raw;
    }
--- more_headers eval
my $sign = Digest::SHA::hmac_sha256_hex('x' x 5000, 'secret-secret');
["X-Sign: $sign", "X-Sign: $sign", "X-Sign: $sign"]
--- request eval
["POST /t\n" . 'x' x 5000, "POST /t\n" . 'x' x 4999 . 'y',
 "POST /t\ny" . 'x' x 4999]
--- error_code eval
[200, 401, 401]
--- response_body_like eval
["^POST (?!.*Sign).*Content-Length: 5000\r\n\r\nx{5000}\\z",
 ("^\\{\"type\":\"about:blank\",\"title\":\"Unauthorized\"") x 2]
--- no_error_log
[alert]
