# envelope_serve and envelope_notify: the provider's side.  A service behind
# "serve" speaks plain JSON to callers that seal; "notify" seals webhooks for
# merchants and opens what they reply.

use Test::Nginx::Socket;
use Envelope::Upstream;

use MIME::Base64;

sub sealed { '{"data":"' . encode_base64($_[0], '') . '"}' }

our $wire = sealed('{"a":1}');

our %problem = (
    400 => '{"type":"about:blank","title":"Bad Request","status":400}',
    401 => '{"type":"about:blank","title":"Unauthorized","status":401}',
    413 => '{"type":"about:blank","title":"Content Too Large","status":413}',
    500 => '{"type":"about:blank","title":"Internal Server Error",'
           . '"status":500}',
);

start_upstream(
    '/text' => sub { http_ok('secret text') },
    '/cut' => sub {
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "a\r\n{\"secret\":\r\n", 0.1)
    },
    '/short' => sub {
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"secret\":1"
    },
    '/huge' => sub { http_ok('"' . 'x' x 2000000 . '"') },
    '/secret' => sub {
        http_ok('{"secret":"secret text"}',
                "Content-Type: application/json\r\n")
    },
    '/member' => sub { http_ok('"a":1') },
    '/member1' => sub { http_ok('{"a":1}') },
    '/include' => sub {
        http_ok('{"part":<!--# include virtual="/part" -->}')
    },
    '/409' => sub {
        "HTTP/1.1 409 Conflict\r\nContent-Length: 12\r\n"
        . "Connection: close\r\n\r\n{\"plain\":1}\n"
    },
    '/accel' => sub { http_ok('', "X-Accel-Redirect: /after\r\n") },
    '/reply' => sub { http_ok($wire) },
    '/reply-bad' => sub { http_ok('{"data":"!"}') },
    '/200' => sub { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
);

add_block_preprocessor(sub {
    my $block = shift;

    my $http = $block->http_config // '';

    $block->set_value('http_config', <<'_EOC_' . $http);
    envelope_profile p {
        request { body data; field data = json | base64; }
        response { body data; field data = json | base64; }
        webhook { body data; field data = json | base64; }
        reply { body data; field data = json | base64; }
    }

    envelope_profile silent {
        webhook { body data; field data = json | base64; }
    }

    upstream up {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
_EOC_

    $block->set_value('suppress_stderr', 1);

    $block->set_value('no_error_log', "[alert]\n[error]\n[crit]")
        if !defined $block->no_error_log && !defined $block->error_log;
});

no_long_string();

plan tests => repeat_each() * 129;

run_tests();

__DATA__

=== TEST 1: serve opens what comes and seals what goes
--- config
    location /t {
        envelope_serve p;
        proxy_pass http://up/echo;
        proxy_set_header X-Seen $envelope_member_a;
    }
--- request eval
"POST /t\n$::wire"
--- response_headers
Content-Type: application/json
Content-Length: 23
--- response_body eval
$::wire



=== TEST 2: what the service sees
--- config
    location /t {
        envelope_serve p;
        proxy_pass http://up/seen1;
        error_page 404 =404 /none;
        proxy_intercept_errors on;
    }

    location = /none {
        return 404 none;
    }

    location /seen {
        proxy_pass http://up/seen/seen1;
    }
--- request eval
["POST /t\n$::wire", "GET /seen"]
--- error_code eval
[404, 200]
--- response_body eval
["none", "1\n{\"a\":1}\n"]



=== TEST 3: the service is behind a call in the same nginx
--- config
    location /client {
        envelope_call p;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/server;
    }

    location /server {
        envelope_serve p;
        proxy_pass http://up/echo;
    }
--- request eval
["POST /client\n {\"b\" : [1.0, \"\\u00e4\"]} ", "GET /client"]
--- response_body eval
["{\"b\" : [1.0, \"\\u00e4\"]}", "{}"]



=== TEST 4: a stranger is told a status
--- config
    location /t {
        envelope_serve p;
        client_max_body_size 100;
        proxy_pass http://up/echo;
    }
--- request eval
["POST /t\n{", "POST /t\n{\"data\":\"!\"}", "GET /t", "POST /t\n{\"data\":1}",
 "POST /t\n" . "x" x 101]
--- error_code eval
[400, 401, 400, 400, 413]
--- response_body eval
[@::problem{400, 401, 400, 400, 413}]
--- no_error_log
[alert]
connect to 127.0.0.1



=== TEST 5: nothing plain gets out
--- config
    location /t {
        envelope_serve p;
        proxy_pass http://up/;
        proxy_http_version 1.1;
    }
--- request eval
["POST /ttext\n$::wire", "POST /tcut\n$::wire"]
--- error_code eval
[500, 500]
--- response_body eval
[@::problem{500, 500}]
--- error_log
envelope: profile "p" serve response: 
--- no_error_log
[alert]



=== TEST 6: an error of the service is its own
--- config
    location /t {
        envelope_serve p;
        proxy_pass http://up/409;
    }
--- request eval
"POST /t\n$::wire"
--- error_code: 409
--- response_body
{"plain":1}



=== TEST 7: what was opened for a service is sealed again where it leaves
--- config
    location /t {
        envelope_serve p;
        proxy_pass http://up/accel;
    }

    location /after {
        internal;
        envelope_notify silent;
        proxy_pass http://up/echo;
    }
--- request eval
"POST /t\n$::wire"
--- response_body eval
$::wire



=== TEST 8: notify seals a webhook
--- config
    location /t {
        envelope_notify silent;
        proxy_pass http://up/raw;
    }
--- request
POST /t
{"a":1}
--- response_body_like chop
Content-Length: 23\r
.*\{"data":"eyJhIjoxfQ=="\}$



=== TEST 9: notify opens the reply
--- config
    location /t {
        envelope_notify p;
        proxy_pass http://up/reply;
    }
--- request
POST /t
{"a":1}
--- response_body chop
{"a":1}



=== TEST 10: notify refuses, and says why
--- config
    location /t {
        envelope_notify p;
        proxy_pass http://up/reply-bad;
    }
--- request eval
["POST /t\n{\"b\":1}", "POST /t\n{\"b\""]
--- error_code eval
[502, 400]
--- response_body_like eval
["\"status\":502,\"detail\":\"reply: field data: ",
 "\"status\":400,\"detail\":\"webhook: "]
--- no_error_log
[alert]



=== TEST 11: notify, an empty reply where none is described
--- config
    location /t {
        envelope_notify silent;
        proxy_pass http://up/200;
    }
--- request
POST /t
{"a":1}
--- response_body



=== TEST 12: notify and webhook in the same nginx
--- config
    location /provider {
        envelope_notify p;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/merchant;
    }

    location /merchant {
        envelope_webhook p;
        proxy_pass http://up/echo;
    }
--- request
POST /provider
{"event": "paid"}
--- response_body chop
{"event": "paid"}



=== TEST 13: what other filters do to a response is sealed with it
--- config
    location /sub {
        envelope_serve p;
        sub_filter_types *;
        sub_filter secret hidden;
        gzip on;
        gzip_types *;
        gzip_min_length 1;
        default_type application/json;
        proxy_pass http://up/secret;
        proxy_hide_header X-None;
    }

    location /add {
        envelope_serve p;
        addition_types *;
        add_before_body /before;
        add_after_body /after;
        proxy_pass http://up/member;
    }

    location /before {
        return 200 '{';
    }

    location /after {
        return 200 '}';
    }

    location /ssi {
        envelope_serve p;
        ssi on;
        ssi_types *;
        proxy_pass http://up/include;
    }

    location /part {
        proxy_pass http://up/secret;
    }
--- request eval
["POST /sub\n$::wire", "POST /add\n$::wire", "POST /ssi\n$::wire"]
--- response_headers eval
["Content-Length: 43", "Content-Length: 23", "Content-Length: 55"]
--- response_body eval
[main::sealed('{"hidden":"secret text"}'), main::sealed('{"a":1}'),
 main::sealed('{"part":{"secret":"secret text"}}')]



=== TEST 14: nothing plain is appended to what cannot be sealed
--- config
    location /add {
        envelope_serve p;
        addition_types *;
        add_after_body /after;
        proxy_pass http://up/text;
    }

    location /after {
        proxy_pass http://up/text;
    }
--- request eval
"POST /add\n$::wire"
--- error_code: 500
--- response_body eval
$::problem{500}
--- error_log
envelope: profile "p" serve response: 
--- no_error_log
[alert]



=== TEST 15: error_page of such a one, and of one that is cut
--- config
    location /t {
        envelope_serve p;
        addition_types *;
        add_after_body /after;
        ssi on;
        ssi_types *;
        sub_filter_types *;
        sub_filter secret hidden;
        proxy_pass http://up/;
        error_page 500 = @page;
    }

    location @page {
        envelope_serve p;
        rewrite ^ /member1 break;
        proxy_pass http://up;
    }

    location /after {
        proxy_pass http://up/text;
    }
--- request eval
["POST /ttext\n$::wire", "POST /tcut\n$::wire", "POST /tshort\n$::wire",
 "POST /thuge\n$::wire"]
--- response_body eval
[(main::sealed('{"a":1}')) x 4]
--- error_log
envelope: profile "p" serve response: 
--- no_error_log
[alert]
