# envelope_call: request bodies as HTTP delivers them.  The format needs no
# key, so that what the upstream got can be read; what the upstream got is
# asked of the upstream.

use Test::Nginx::Socket;
use Envelope::Upstream;
use Digest::SHA;

start_upstream(
    # reads all of the first request, then tears the connection down
    '/once' => sub {
        my $request = shift;
        return $request->{n} == 1 ? RESET
                                  : http_ok($request->{body});
    },

    '/503' => sub {
        return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n"
               . "Connection: close\r\n\r\nbusy";
    },

    '/page' => sub {
        return http_ok('[<!--# include virtual="/sub" -->]',
                       "Content-Type: text/html\r\n");
    },

    '/accel' => sub {
        return http_ok('', "X-Accel-Redirect: /after\r\n");
    },
);

add_block_preprocessor(sub {
    my $block = shift;

    my $http = $block->http_config // '';

    $block->set_value('http_config', <<'_EOC_' . $http);
    envelope_profile out {
        request { body data; field data = json | base64; }
    }

    envelope_profile both {
        request { body data; field data = json | base64; }
        response { body data; field data = json | base64; }
    }

    envelope_profile headers {
        request { set header:X-App 7; }
    }

    envelope_profile in {
        webhook { body data; field data = json | base64; }
    }

    upstream up {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
_EOC_

    $block->set_value('no_error_log', "[alert]\n[error]\n[crit]")
        if !defined $block->no_error_log && !defined $block->error_log;
});

# {"n":"xxx..."}, of the length given

sub json_of { '{"n":"' . 'x' x ($_[0] - 8) . '"}' }

sub chunked {
    return join('', map { sprintf("%x\r\n%s\r\n", length $_, $_) } @_)
           . "0\r\n\r\n";
}

no_long_string();

plan tests => repeat_each() * 348;

run_tests();

__DATA__

=== TEST 1: a body in memory, and its header fields
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
    }
--- request
POST /t
{"x": 1}
--- more_headers
Content-Type: text/plain
Content-MD5: abc
Digest: abc
X-Other: kept
--- response_body eval
qr/\APOST \/raw HTTP\/1\.[01]\r
Host: up\r
(?:Connection: close\r
)?Content-Length: 23\r
X-Other: kept\r
Content-Type: application\/json\r
\r
\{"data":"eyJ4IjogMX0="\}\z/



=== TEST 2: a body in a temporary file
--- config
    client_body_buffer_size 1k;

    location /t {
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- request eval
"POST /t\n" . main::json_of(100000)
--- response_body eval
main::json_of(100000)
--- error_log
a client request body is buffered to a temporary file
--- no_error_log
[error]



=== TEST 3: a chunked body, cut inside a name, a string and an escape
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
    }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n\r\n"
. main::chunked('{"na', 'me":', '"a\\', 'u00', '41"', '}')
--- response_body eval
qr/\A(?!.*Transfer-Encoding).*Content-Length: 35\r\n.*\r\n\r\n\{"data":"eyJuYW1lIjoiYVx1MDA0MSJ9"\}\z/s



=== TEST 4: the header and half of the body in one packet, the rest later
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Content-Length: 10\r\n\r\n" . '{"a":"', "\xc3", "\xa4", '"', '}']
--- raw_request_middle_delay
0.02
--- response_body eval
qq/{"a":"\xc3\xa4"}/



=== TEST 5: one byte that is no message
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
    }
--- request
POST /t
x
--- error_code: 400
--- response_headers
Content-Type: application/problem+json
--- response_body_like chop
^\{"type":"about:blank","title":"Bad Request","status":400,"detail":"request: JSON [^"]*"\}$
--- error_log eval
qr/\[error\].* envelope: profile "out" call request: JSON /
--- no_error_log
connect to 127.0.0.1



=== TEST 6: a body of exactly client_max_body_size
--- config
    client_body_buffer_size 128;
    location /t {
        client_max_body_size 2000;
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- request eval
"POST /t\n" . main::json_of(2000)
--- response_body eval
main::json_of(2000)
--- error_log
buffered to a temporary file
--- no_error_log
[error]



=== TEST 7: a byte more is 413, as a problem
--- config
    location /t {
        client_max_body_size 2000;
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- request eval
"POST /t\n" . main::json_of(2001)
--- error_code: 413
--- response_headers
Content-Type: application/problem+json
--- response_body chop
{"type":"about:blank","title":"Content Too Large","status":413,"detail":"request: larger than client_max_body_size"}
--- error_log
client intended to send too large body
--- no_error_log
connect to 127.0.0.1



=== TEST 8: a byte more in chunks
--- config
    location /t {
        client_max_body_size 2000;
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n",
 main::chunked(main::json_of(2001) =~ /(.{1,700})/g)]
--- raw_request_middle_delay
0.05
--- error_code: 413
--- response_headers
Content-Type: application/problem+json
--- response_body_like chop
"detail":"request: larger than client_max_body_size"
--- error_log
client intended to send too large chunked body
--- no_error_log
connect to 127.0.0.1



=== TEST 9: error_page takes a 413 that came in chunks, and gets no body
--- config
    location /t {
        client_max_body_size 2000;
        envelope_call out;
        proxy_pass http://up/decoded;
        error_page 413 = @large;
    }

    location @large {
        proxy_pass http://up;
        proxy_set_header X-Page large;
        rewrite ^ /raw break;
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n",
 main::chunked(main::json_of(2001) =~ /(.{1,700})/g)]
--- raw_request_middle_delay
0.05
--- response_body eval
qr/\A(?!.*xxx)POST .*X-Page: large\r\n.*Content-Length: 0\r\n\r\n\z/s
--- error_log
client intended to send too large chunked body



=== TEST 10: proxy_request_buffering off makes no difference
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        proxy_http_version 1.1;
        proxy_request_buffering off;
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n", "4\r\n{\"a\"\r\n",
 "3\r\n:1}\r\n0\r\n\r\n"]
--- raw_request_middle_delay
0.05
--- response_body_like chop
Content-Length: 23\r
.*\{"data":"eyJhIjoxfQ=="\}$
--- no_error_log
[error]



=== TEST 11: client_body_in_file_only
--- config
    location /t {
        envelope_call out;
        client_body_in_file_only clean;
        proxy_pass http://up/decoded;
    }
--- request
POST /t
{"a":1}
--- response_body chop
{"a":1}



=== TEST 12: a body that was longer in front of it is gone from everywhere
--- config
    client_body_buffer_size 1k;

    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        proxy_set_header X-File $request_body_file;
        proxy_set_header X-Body $request_body;
    }
--- request eval
"POST /t\n" . '{"a":1' . ' ' x 5000 . '}'
--- response_body_unlike
X-File
--- error_log
buffered to a temporary file



=== TEST 13: methods, with a body and without
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
    }
--- request eval
["GET /t", "GET /t\n{\"a\":1}", "PUT /t\n{\"a\":1}", "PATCH /t\n{\"a\":1}",
 "DELETE /t\n{\"a\":1}", "DELETE /t", "OPTIONS /t", "POST /t"]
--- response_body_like eval
["^GET .*Content-Length: 15\r\n.*\r\n\r\n\\{\"data\":\"e30=\"\\}\\z",
 "^GET .*Content-Length: 23\r\n.*\r\n\r\n\\{\"data\":\"eyJhIjoxfQ==\"\\}\\z",
 "^PUT .*\r\n\r\n\\{\"data\":\"eyJhIjoxfQ==\"\\}\\z",
 "^PATCH .*\r\n\r\n\\{\"data\":\"eyJhIjoxfQ==\"\\}\\z",
 "^DELETE .*\r\n\r\n\\{\"data\":\"eyJhIjoxfQ==\"\\}\\z",
 "^DELETE .*\r\n\r\n\\{\"data\":\"e30=\"\\}\\z",
 "^OPTIONS .*\r\n\r\n\\{\"data\":\"e30=\"\\}\\z",
 "^POST .*Content-Length: 15\r\n.*\r\n\r\n\\{\"data\":\"e30=\"\\}\\z"]



=== TEST 14: a format of header fields alone leaves the body as it is
--- config
    client_body_buffer_size 1k;

    location /t {
        envelope_call headers;
        proxy_pass http://up/raw;
    }
--- request eval
["GET /t", "POST /t\nplain text", "POST /t\n" . "x" x 3000]
--- more_headers
X-App: forged
Content-Type: text/plain
--- response_body_like eval
["^GET (?!.*forged)(?!.*Content-Length)(?=.*X-App: 7\r\n).*\r\n\r\n\\z",
 "^POST (?!.*forged)(?=.*Content-Type: text/plain\r\n)(?=.*X-App: 7\r\n)"
 . ".*Content-Length: 10\r\n.*\r\n\r\nplain text\\z",
 "^POST (?!.*forged)(?=.*X-App: 7\r\n).*Content-Length: 3000\r\n"
 . ".*\r\n\r\nx{3000}\\z"]



=== TEST 15: Expect: 100-continue
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        proxy_set_header Expect $http_expect;
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Expect: 100-continue\r\nContent-Length: 7\r\n\r\n", '{"a":1}']
--- raw_request_middle_delay
0.1
--- error_code: 100
--- response_body_like chop
^HTTP/1.1 200 OK\r
(?!.*Expect).*\{"data":"eyJhIjoxfQ=="\}$



=== TEST 16: pipelined requests
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- pipelined_requests eval
["POST /t\n{\"a\":1}", "POST /t\n{\"b\":22}", "GET /t"]
--- response_body eval
["{\"a\":1}", "{\"b\":22}", "{}"]



=== TEST 17: HTTP/2
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;

        location /t {
            envelope_call out;
            proxy_pass http://up/raw;
        }
    }
--- config
    location /h2 {
        proxy_pass http://up/h2?port=$TEST_NGINX_RAND_PORT_1&uri=/t;
    }
--- request eval
["POST /h2\n{\"a\":1}", "GET /h2", "POST /h2\n{\"a\":"]
--- response_body_like eval
["^HTTP/2 200 \r\n.*POST .*Content-Length: 23\r\n.*"
 . "\r\n\r\n\\{\"data\":\"eyJhIjoxfQ==\"\\}\$",
 "^HTTP/2 200 \r\n.*\r\n\r\n\\{\"data\":\"e30=\"\\}\$",
 "^HTTP/2 400 \r\n.*content-type: application/problem\\+json\r\n.*\r\n\r\n"
 . "\\{\"type\":.*\"status\":400,\"detail\":\"request: .*\\}\$"]
--- no_error_log
[alert]



=== TEST 18: HTTP/2 without a length
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;
        client_body_buffer_size 1k;

        location /t {
            envelope_call out;
            proxy_pass http://up/decoded;
        }
    }
--- config
    location /h2 {
        proxy_pass http://up/h2?port=$TEST_NGINX_RAND_PORT_1&uri=/t&stream;
    }
--- request eval
"POST /h2\n" . main::json_of(5000)
--- response_body_like eval
"^HTTP/2 200 \r\n.*\r\n\r\n\\{\"n\":\"x{4992}\"\\}\$"
--- no_error_log
[alert]



=== TEST 19: a retry sends the same sealed body whole
--- http_config
    upstream twice {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- config
    client_body_buffer_size 1k;

    location /t {
        envelope_call out;
        proxy_pass http://twice/once;
        proxy_next_upstream error timeout non_idempotent;
    }

    location /seen {
        proxy_pass http://up/seen/once;
    }
--- request eval
["POST /t\n" . '{"a":"' . 'x' x 3000 . '"}', "GET /seen"]
--- response_body_like eval
["^\\{\"data\":\"[A-Za-z0-9+/]+=*\"\\}\$",
 "^2\n(\\{\"data\":\"[A-Za-z0-9+/]{4000,}=*\"\\}\n)\\1\$"]
--- no_error_log
[alert]



=== TEST 20: a fallback by error_page gets the sealed body, sealed once
--- config
    envelope_call out;

    location /t {
        proxy_pass http://up/503;
        proxy_intercept_errors on;
        error_page 503 = @fallback;
    }

    location @fallback {
        rewrite ^ /raw break;
        proxy_pass http://up;
    }
--- request
POST /t
{"a":1}
--- response_body_like chop
Content-Length: 23\r
.*\r
\{"data":"eyJhIjoxfQ=="\}$



=== TEST 21: so does one that has no profile
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/503;
        proxy_intercept_errors on;
        error_page 503 = @fallback;
    }

    location @fallback {
        rewrite ^ /raw break;
        proxy_pass http://up;
    }
--- request
POST /t
{"a":1}
--- response_body_like chop
Content-Length: 23\r
.*\r
\{"data":"eyJhIjoxfQ=="\}$



=== TEST 22: an error page of a URI
--- config
    envelope_call out;

    location /t {
        proxy_pass http://up/503;
        proxy_intercept_errors on;
        error_page 503 /page;
    }

    location = /page {
        proxy_pass http://up/raw;
    }
--- request
POST /t
{"a":1}
--- error_code: 503
--- response_body_like chop
^GET .*\{"data":"eyJhIjoxfQ=="\}$



=== TEST 23: try_files, and a named location
--- config
    location /t {
        envelope_call out;
        try_files /nothing @provider;
    }

    location @provider {
        rewrite ^ /raw break;
        proxy_pass http://up;
    }
--- request
POST /t
{"a":1}
--- response_body_like chop
\{"data":"eyJhIjoxfQ=="\}$



=== TEST 24: try_files into a location with a profile of its own
--- config
    location /t {
        try_files /nothing /provider;
    }

    location /provider {
        envelope_call out;
        proxy_pass http://up/raw;
    }
--- request
POST /t
{"a":1}
--- response_body_like chop
\{"data":"eyJhIjoxfQ=="\}$



=== TEST 25: X-Accel-Redirect into a location with the profile
--- config
    envelope_call out;

    location /t {
        proxy_pass http://up/accel;
    }

    location /after {
        internal;
        proxy_pass http://up/raw;
    }
--- request
POST /t
{"a":1}
--- response_body_like chop
\{"data":"eyJhIjoxfQ=="\}$



=== TEST 26: a mirror gets the sealed body, whether it has a profile or not
--- config
    location /t {
        envelope_call out;
        mirror /m1;
        mirror /m2;
        proxy_pass http://up/decoded;
    }

    location /m1 {
        internal;
        proxy_pass http://up/mirror1;
    }

    location /m2 {
        internal;
        envelope_call out;
        proxy_pass http://up/mirror2;
    }

    location /seen {
        proxy_pass http://up;
    }
--- request eval
["POST /t\n{\"a\":1}", "GET /seen/mirror1", "GET /seen/mirror2"]
--- response_body eval
["{\"a\":1}", "1\n{\"data\":\"eyJhIjoxfQ==\"}\n",
 "1\n{\"data\":\"eyJhIjoxfQ==\"}\n"]



=== TEST 27: a refused body is not mirrored
--- config
    location /t {
        envelope_call out;
        mirror /m;
        proxy_pass http://up/decoded;
    }

    location /m {
        internal;
        proxy_pass http://up/raw;
    }
--- request
POST /t
{"a":}
--- error_code: 400
--- response_body_like chop
"status":400
--- error_log
envelope: profile "out" call request: 
--- no_error_log
connect to 127.0.0.1



=== TEST 28: mirror in the same place reads nothing unsealed (with a file)
--- config
    client_body_buffer_size 1k;

    location /t {
        envelope_call out;
        mirror /m;
        proxy_pass http://up/decoded;
    }

    location /m {
        internal;
        proxy_pass http://up/mirror3;
    }

    location /seen {
        proxy_pass http://up;
    }
--- request eval
["POST /t\n" . main::json_of(3000), "GET /seen/mirror3"]
--- response_body_like eval
["^\\{\"n\":\"x{2992}\"\\}\$", "^1\n\\{\"data\":\"[A-Za-z0-9]{4000}\"\\}\n\$"]



=== TEST 29: an SSI page asks a provider, the page's own request stays plain
--- config
    location /sub {
        envelope_call out;
        proxy_pass http://up/decoded;
    }

    location /index {
        ssi on;
        default_type text/html;
        alias html/page.shtml;
    }
--- user_files
>>> page.shtml
[<!--# include virtual="/sub" -->]
--- request
GET /index
--- response_body
[{}]



=== TEST 30: a subrequest seals for itself, its parent's body stays plain
--- config
    location /t {
        auth_request /auth;
        proxy_pass http://up/raw;
    }

    location /auth {
        internal;
        envelope_call both;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"a":1}
--- response_body_like chop
Content-Length: 7\r
.*\r
\{"a":1\}$



=== TEST 31: a mirror with a profile gets a sealed body, the parent's is plain
--- config
    client_body_buffer_size 1k;

    location /t {
        mirror /m;
        proxy_pass http://up/echo;
    }

    location /m {
        internal;
        envelope_call out;
        proxy_pass http://up/mirror4;
    }

    location /seen {
        proxy_pass http://up;
    }
--- request eval
["POST /t\n" . main::json_of(3000), "GET /seen/mirror4"]
--- response_body_like eval
["^\\{\"n\":\"x{2992}\"\\}\$", "^1\n\\{\"data\":\"[A-Za-z0-9]{4000}\"\\}\n\$"]



=== TEST 32: error_page of a refused body: the file is sent
--- config
    envelope_call out;

    location /t {
        proxy_pass http://up/raw;
        error_page 400 /refused.html;
    }
--- user_files
>>> refused.html
sorry
--- request
POST /t
{"a":}
--- error_code: 400
--- response_body
sorry
--- error_log
envelope: profile "out" call request: 
--- no_error_log
connect to 127.0.0.1



=== TEST 33: an upstream behind error_page gets nothing of a refused body
--- config
    envelope_call out;

    location /t {
        proxy_pass http://up/raw;
        error_page 400 = @page;
    }

    location @page {
        rewrite ^ /raw break;
        proxy_pass http://up;
    }
--- request
POST /t
{"secret":}
--- more_headers
Content-Type: application/json
--- response_body_like eval
qr/^POST (?!.*secret)(?!.*Content-Type).*Content-Length: 0\r\n\r\n\z/s
--- error_log
envelope: profile "out" call request: 



=== TEST 34: neither does one without a profile
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        error_page 400 = @page;
    }

    location @page {
        rewrite ^ /raw break;
        proxy_pass http://up;
    }
--- request
POST /t
{"secret":}
--- response_body_like eval
qr/^POST (?!.*secret).*Content-Length: 0\r\n\r\n\z/s
--- error_log
envelope: profile "out" call request: 



=== TEST 35: what an error page of a refusal can say
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        error_page 400 = @page;
    }

    location @page {
        return 422 "$envelope_result\n";
    }
--- request
POST /t
{"a":}
--- error_code: 422
--- response_body
rejected
--- error_log
envelope: profile "out" call request: 



=== TEST 36: a webhook that was opened is sealed where it leaves again
--- config
    location /hook {
        envelope_webhook in;
        proxy_pass http://up/accel;
    }

    location /after {
        internal;
        envelope_call out;
        proxy_pass http://up/raw;
    }
--- request
POST /hook
{"data":"eyJhIjoxfQ=="}
--- response_body_like chop
\{"data":"eyJhIjoxfQ=="\}$



=== TEST 37: ranges and codings are not asked of a provider that is answered
--- config
    location /both {
        envelope_call both;
        proxy_pass http://up/echo;
        proxy_set_header X-Range "$http_range$http_accept_encoding$http_if_range";
    }

    location /out {
        envelope_call out;
        proxy_pass http://up/raw;
    }
--- request eval
["POST /both\n{\"a\":1}", "POST /out\n{\"a\":1}"]
--- more_headers
Range: bytes=0-1
If-Range: "x"
Accept-Encoding: gzip
--- response_body_like eval
["^\\{\"a\":1\\}\$", "Range: bytes=0-1\r\n.*Accept-Encoding: gzip\r\n"]



=== TEST 38: a client's length never frames the sealed body
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        proxy_http_version 1.1;
    }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n\r\n"
. "7\r\n{\"a\":1}\r\n0\r\n\r\nPOST /smuggled HTTP/1.1\r\n\r\n"
--- response_body_like eval
qr/^POST (?!.*Transfer-Encoding)(?!.*smuggled).*Content-Length: 23\r\n/s



=== TEST 39: the members of a plain body are variables, and matched by no case
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        proxy_set_header X-Member "$envelope_member_n|$envelope_member_s|$envelope_member_twice|$envelope_member_none|$envelope_member_o";
    }
--- request
POST /t
{"N": 1.50, "s": "a\u0041", "twice": 1, "TWICE": 2, "o": {"x": [1]}}
--- response_body_like chop
X-Member: 1.50\|aA\|\|\|\{"x": \[1\]\}\r



=== TEST 40: a call without a description of its request leaves it as it is
--- http_config
    envelope_profile answer {
        response { body data; field data = json | base64; }
    }
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/echo;
    }
--- request
POST /t
{"data":"eyJhIjoxfQ=="}
--- more_headers
Range: bytes=0-1
--- response_body chop
{"a":1}



=== TEST 41: nginx's own idea of the header fields follows
--- http_config
    envelope_profile agent {
        request { set header:User-Agent envelope; set header:Authorization x;
                  set header:Cookie c=3; }
    }
--- config
    location /t {
        envelope_call out;
        proxy_pass http://up/raw;
        proxy_set_header X-All "$cookie_a|$cookie_b|$http_user_agent|$http_host|$http_x_many|$http_referer";
        proxy_set_header X-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Length $content_length;
        proxy_set_header X-Type $content_type;
    }

    location /agent {
        envelope_call agent;
        proxy_pass http://up/raw;
        proxy_set_header X-All "$cookie_a|$cookie_c|$http_user_agent|$http_authorization|$http_cookie";
    }
--- more_headers
Cookie: a=1
X-Many: m
User-Agent: me
Cookie: b=2
X-Forwarded-For: 192.0.2.1
Referer: there
Content-Type: text/plain
--- request eval
["POST /t\n{\"a\":1}", "POST /agent\n{\"a\":1}"]
--- response_body_like eval
["X-All: 1\\|2\\|me\\|localhost\\|m\\|there\r\n"
 . "X-For: 192.0.2.1, 127.0.0.1\r\nX-Length: 23\r\n"
 . "X-Type: application/json\r\n.*Cookie: a=1\r\n.*Cookie: b=2\r\n",
 "X-All: \\|3\\|envelope\\|x\\|c=3\r\n(?!.*a=1).*User-Agent: envelope\r\n"
 . ".*Authorization: x\r\nCookie: c=3\r\n"]



=== TEST 42: a parent's body in a file is a subrequest's as well
--- config
    client_body_buffer_size 1k;

    location /page {
        ssi on;
        proxy_pass http://up/page;
    }

    location /sub {
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- request eval
"POST /page\n" . main::json_of(5000)
--- response_body eval
'[' . main::json_of(5000) . ']'



=== TEST 43: a parent's body in memory is a subrequest's as well
--- config
    location /page {
        ssi on;
        proxy_pass http://up/page;
    }

    location /sub {
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- request
POST /page
{"a":1}
--- response_body chop
[{"a":1}]



=== TEST 44: a digest that the format writes goes with the body
--- http_config
    envelope_profile digest {
        request {
            body  data;
            field data = json | base64;
            sign  header:Digest = sha256 over=<body> | base64 | prefix SHA-256=;
            set   header:Content-MD5 mine;
        }
    }
--- config
    location /t {
        envelope_call digest;
        proxy_pass http://up/raw;
    }
--- more_headers
digest: SHA-256=theirs
Content-MD5: theirs
Repr-Digest: theirs
--- request
POST /t
{"a":1}
--- response_body_like eval
my $body = '{"data":"eyJhIjoxfQ=="}';
my $digest = quotemeta(Digest::SHA::sha256_base64($body) . '=');
"^POST (?!.*theirs).*Digest: SHA-256=$digest\r\nContent-MD5: mine\r\n"
. ".*\r\n\r\n" . quotemeta($body) . "\\z"



=== TEST 45: a signature over a body in one buffer, in two, and in a file
--- http_config
    envelope_profile mac {
        secret app data:c2VjcmV0LXNlY3JldA== base64;
        request {
            sign header:X-Sign = hs256 key=app over=[<body>.<body>] | hex;
        }
    }
--- config
    location /memory {
        envelope_call mac;
        proxy_pass http://up/raw;
    }

    location /file {
        client_body_buffer_size 1k;
        envelope_call mac;
        proxy_pass http://up/raw;
    }

    location /named {
        set $member $envelope_member_n;
        envelope_call mac;
        proxy_pass http://up/raw;
    }
--- suppress_stderr
1
--- request eval
[map { "POST $_" } "/memory\nshort", "/memory\n" . main::json_of(3000),
 "/file\n" . main::json_of(9000), "/memory", "/named\n" . main::json_of(3000)]
--- response_body_like eval
[map {
     my $sign = Digest::SHA::hmac_sha256_hex("[$_.$_]", 'secret-secret');
     "^POST .*X-Sign: $sign\r\n(?:.*\r\n)?\r\n" . quotemeta . "\\z";
 } 'short', main::json_of(3000), main::json_of(9000), '', main::json_of(3000)]



=== TEST 46: a field that nginx knows and keeps no pointer to
(and does not pass on, since 1.31)
--- http_config
    envelope_profile proxied {
        request {
            set header:Proxy-Connection mine;
        }
    }
--- config
    location /t {
        envelope_call proxied;
        proxy_set_header X-Seen $http_proxy_connection;
        proxy_pass http://up/raw;
    }
--- more_headers
Proxy-Connection: theirs
X-Other: kept
--- request
POST /t
{"a":1}
--- response_body_like eval
qr/^POST (?!.*theirs)(?=.*\r\nX-Seen: mine\r\n)(?=.*\r\nX-Other: kept\r\n).*\r\n\r\n\Q{"a":1}\E\z/s



=== TEST 47: replaced fields, however they were spelled, are found by their names
--- http_config
    envelope_profile named {
        request {
            body data;
            field data = json | base64;
            set header:X-App 7;
            set header:X-A-Name-Of-More-Than-Thirty-Two-Characters mine;
        }
    }
--- config
    location /t {
        envelope_call named;
        proxy_set_header X-Seen "$http_x_app $content_type $content_length";
        proxy_set_header X-Long
                         $http_x_a_name_of_more_than_thirty_two_characters;
        proxy_pass http://up/raw;
    }
--- more_headers
CONTENT-TYPE: text/plain
x-APP: theirs
X-A-NAME-Of-More-Than-Thirty-two-characters: theirs
X-App: again
--- request
POST /t
{"x": 1}
--- response_body eval
qr/\APOST \/raw HTTP\/1\.[01]\r
(?:Host: up\r
)?X-Seen: 7 application\/json 23\r
X-Long: mine\r
(?:Host: up\r
)?(?:Connection: close\r
)?Content-Length: 23\r
X-App: 7\r
X-A-Name-Of-More-Than-Thirty-Two-Characters: mine\r
Content-Type: application\/json\r
\r
\{"data":"eyJ4IjogMX0="\}\z/



=== TEST 48: a codec's text needs no escape, what stands in front of it may
--- http_config
    envelope_profile prefixed {
        request {
            field a = json | hex;
            field b = json | hex | prefix 'v"1\\:';
        }
    }
--- config
    location /t {
        envelope_call prefixed;
        proxy_pass http://up/raw;
    }
--- request
POST /t
{"a":1,"b":2}
--- response_body_like eval
qr/\r\n\r\n\Q{"a":"31","b":"v\"1\\:32"}\E\z/



=== TEST 49: more fields than usual, and more of them that are written
--- http_config
    envelope_profile many {
        request {
            set header:X-1 ours;
            set header:X-2 ours;
            set header:X-3 ours;
            set header:X-4 ours;
            set header:X-5 ours;
            set header:X-36 ours;
            set header:X-37 ours;
            set header:X-38 ours;
            set header:X-39 ours;
            set header:Referer ours;
        }
    }
--- config
    location /t {
        envelope_call many;
        proxy_set_header X-Seen
                         "$http_referer $http_user_agent $http_cookie";
        proxy_pass http://up/raw;
    }
--- more_headers eval
CORE::join '', map { "$_\n" } 'User-Agent: kept', 'Cookie: kept=1',
    'Referer: theirs', map { "X-$_: theirs" } 1 .. 40
--- request
POST /t
{"a":1}
--- response_body_like eval
my $written = CORE::join '', map { "X-$_: ours\r\n" } 1 .. 5, 36 .. 39;
my $kept = CORE::join '', map { "X-$_: theirs\r\n" } 6 .. 35, 40;

"^POST .*X-Seen: ours kept kept=1\r\n(?!.*X-Seen)(?!.*Referer: theirs)"
. "(?=.*\r\nUser-Agent: kept\r\nCookie: kept=1\r\n)"
. "(?=.*\r\nReferer: ours\r\n).*\r\n${kept}${written}.*"
. "\r\n\r\n" . quotemeta('{"a":1}') . '\z'



=== TEST 50: a body that came with the header in part, and then in pieces
--- config
    client_header_buffer_size 1k;
    client_body_buffer_size 64k;

    location /t {
        envelope_call out;
        proxy_pass http://up/decoded;
    }
--- raw_request eval
my $body = '[' . CORE::join(',', map { $_ * 7919 } 1 .. 4000) . ']';

["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . 'Content-Length: ' . CORE::length($body) . "\r\n\r\n"
 . CORE::substr($body, 0, 100),
 CORE::substr($body, 100, 9999), CORE::substr($body, 10099)]
--- raw_request_middle_delay
0.02
--- response_body eval
'[' . CORE::join(',', map { $_ * 7919 } 1 .. 4000) . ']'



=== TEST 51: a mirror that is under way keeps its body where a fallback seals it
--- config
    client_body_buffer_size 64k;
    client_body_in_single_buffer on;

    location /t {
        mirror /m;
        error_page 502 = @sealed;
        proxy_pass http://127.0.0.1:1;
    }

    location @sealed {
        envelope_call out;
        rewrite ^ /decoded break;
        proxy_pass http://up;
    }

    location = /m {
        internal;
        proxy_pass http://up/mirror5;
    }

    location /seen {
        proxy_pass http://up;
    }
--- request eval
["POST /t\n" . main::json_of(30000), "GET /seen/mirror5"]
--- response_body_like eval
["^\\{\"n\":\"x{29992}\"\\}\\z", "^1\n\\{\"n\":\"x{29992}\"\\}\n\\z"]
--- no_error_log
[alert]
