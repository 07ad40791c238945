# The variables of the module.

use Test::Nginx::Socket;
use Digest::SHA ();
use MIME::Base64 ();

sub hmac { Digest::SHA::hmac_sha256_hex($_[0], $_[1] // 'hello') }

# the wire form of a plain text, as the profile "vm" has it

sub sealed {
    my $data = MIME::Base64::encode($_[0], '');
    return qq({"data":"$data","sign":") . hmac($data) . '"}';
}

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'EOC') if !defined $block->http_config;
    envelope_profile vm {
        secret app data:hello text id=k1;
        secret app data:there text id=k2;

        request {
            body data;
            field data = json | base64;
            sign sign = hs256 key=app over=<data> | hex;
        }

        response {
            when code 0;
            field data = json | base64;
        }

        webhook {
            body data;
            field data = json | base64;
            sign sign = hs256 key=app over=<data> | hex;
        }
    }

    log_format envelope '[$envelope_profile:$envelope_role:$envelope_result:'
                        '$envelope_reason:$envelope_seal_time:'
                        '$envelope_open_time]';

    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;

        location / {
            default_type application/json;
            return 200 '{"code":0,"data":"eyJhIjoxfQ=="}';
        }

        location /passed {
            default_type application/json;
            return 200 '{"code":1}';
        }

        location /bad {
            default_type application/json;
            return 200 '{"code":0,"data":"e"}';
        }

        location /echo {
            return 200 "$http_x_a|$http_x_b";
        }
    }
EOC
});

plan tests => repeat_each() * 70;

run_tests();

__DATA__

=== TEST 1: $envelope_time is in seconds
--- config
    location /t {
        return 200 "$msec $envelope_time";
    }
--- request
GET /t
--- response_body_like: ^(\d{10})\.\d{3} \1$



=== TEST 2: $envelope_time_ms is in milliseconds
--- config
    location /t {
        return 200 "$msec $envelope_time_ms";
    }
--- request
GET /t
--- response_body_like: ^(\d{10})\.(\d{3}) \1\2$



=== TEST 3: $envelope_nonce is the same throughout a request
--- config
    location /t {
        set $early $envelope_nonce;
        return 200 "$early $envelope_nonce";
    }
--- request
GET /t
--- response_body_like: ^([0-9a-f]{32}) \1$



=== TEST 4: $envelope_nonce is another in another request
--- config
    location /t {
        proxy_set_header X-A $envelope_nonce;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/other;
    }

    location /other {
        return 200 "$http_x_a $envelope_nonce";
    }
--- request
GET /t
--- response_body_like: ^([0-9a-f]{32}) (?!\1)[0-9a-f]{32}$



=== TEST 5: $envelope_uuid is of version 4, the same throughout a request, apart from the nonce
--- config
    location /t {
        set $early $envelope_uuid;
        return 200 "$early $envelope_uuid $envelope_nonce";
    }
--- request
GET /t
--- response_body_like: ^([0-9a-f]{8})-([0-9a-f]{4})-(4[0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12}) \1-\2-\3-\4-\5 (?!\1\2\3\4\5)[0-9a-f]{32}$



=== TEST 6: $envelope_uuid is another in another request
--- config
    location /t {
        proxy_set_header X-A $envelope_uuid;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/other;
    }

    location /other {
        return 200 "$http_x_a $envelope_uuid";
    }
--- request
GET /t
--- response_body_like: ^([0-9a-f-]{36}) (?!\1)[0-9a-f-]{36}$



=== TEST 7: a subrequest has a nonce and a UUID of its own
--- config
    location /t {
        ssi on;
        ssi_types *;
        root html;
        try_files /main.txt =404;
    }

    location /sub {
        return 200 "$envelope_nonce $envelope_uuid";
    }
--- user_files
>>> main.txt
<!--# echo var="envelope_nonce" --> <!--# echo var="envelope_uuid" -->
<!--# include virtual="/sub?1" -->
<!--# include virtual="/sub?2" -->
<!--# echo var="envelope_nonce" --> <!--# echo var="envelope_uuid" -->
--- request
GET /t
--- response_body_like eval
qr/\A(?<a>[0-9a-f]{32}) (?<b>[0-9a-f-]{36})\n(?!\k<a>)(?<c>[0-9a-f]{32}) (?!\k<b>)(?<d>[0-9a-f-]{36})\n(?!\k<a>|\k<c>)[0-9a-f]{32} (?!\k<b>|\k<d>)[0-9a-f-]{36}\n\k<a> \k<b>\n\z/



=== TEST 8: where nothing happens there is nothing to tell
--- config
    location /t {
        return 200 "[$envelope_profile$envelope_role$envelope_result$envelope_reason$envelope_kid$envelope_seal_time$envelope_open_time$envelope_member_a]";
    }
--- request
GET /t
--- response_body: []
--- no_error_log
[error]



=== TEST 9: a request is sealed
--- config
    location /t {
        envelope_call vm;
        access_log logs/access.log envelope;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/up;
        proxy_set_header X-Result $envelope_result;
        proxy_set_header X-Seal $envelope_seal_time;
        proxy_set_header X-Open $envelope_open_time;
        proxy_set_header X-Where $envelope_profile:$envelope_role;
        proxy_set_header X-Kid $envelope_kid;
    }

    location /up {
        default_type application/json;
        return 200 '{"code":1,"r":"$http_x_result","s":"$http_x_seal","o":"$http_x_open","w":"$http_x_where","k":"$http_x_kid"}';
    }
--- request
POST /t
{"a":1}
--- response_body_like: ^\{"code":1,"r":"sealed","s":"\d+\.\d{3}","o":"","w":"vm:call","k":"k1"\}$
--- access_log eval
qr/^\[vm:call:passed:.*:\d+\.\d{3}:\d+\.\d{3}\]$/
--- no_error_log
[error]



=== TEST 10: a response is opened
--- config
    location /t {
        envelope_call vm;
        access_log logs/access.log envelope;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/;
    }
--- request
POST /t
{"a":1}
--- response_body: {"code":0,"data":{"a":1}}
--- access_log eval
qr/^\[vm:call:opened:-:\d+\.\d{3}:\d+\.\d{3}\]$/
--- no_error_log
[error]



=== TEST 11: a response is rejected
--- config
    location /t {
        envelope_call vm;
        add_header X-Result $envelope_result always;
        add_header X-Reason "$envelope_reason" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/bad;
    }
--- request
POST /t
{"a":1}
--- error_code: 502
--- response_headers_like
X-Result: rejected
X-Reason: .*data.*



=== TEST 12: a webhook is opened; the key that did it, and when
--- config
    location /t {
        envelope_webhook vm;
        proxy_set_header X-A $envelope_result:$envelope_kid:$envelope_role;
        proxy_set_header X-B $envelope_open_time:$envelope_seal_time;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo;
    }
--- request eval
"POST /t\n" . ::sealed('{"a":1}')
--- response_body_like: ^opened:k1:webhook\|\d+\.\d{3}:$
--- no_error_log
[error]



=== TEST 13: of a key ring, the one that verified
--- config
    location /t {
        envelope_webhook vm;
        proxy_set_header X-A $envelope_result:$envelope_kid;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo;
    }
--- request eval
"POST /t\n" . '{"data":"e30=","sign":"' . ::hmac('e30=', 'there') . '"}'
--- response_body: opened:k2|
--- no_error_log
[error]



=== TEST 14: a webhook is rejected; who sent it is not told why
--- config
    location /t {
        envelope_webhook vm;
        access_log logs/access.log envelope;
        add_header X-Result $envelope_result always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo;
    }
--- request eval
"POST /t\n" . '{"data":"e30=","sign":"' . ::hmac('e30=', 'nobody') . '"}'
--- error_code: 401
--- response_headers
X-Result: rejected
--- response_body_unlike: sign
--- access_log eval
qr/^\[vm:webhook:rejected:.*sign.*:-:\d+\.\d{3}\]$/



=== TEST 15: members of the plain body, of every type
--- config
    location /t {
        envelope_webhook vm;
        proxy_set_header X-A "$envelope_member_s/$envelope_member_n/$envelope_member_t/$envelope_member_u/$envelope_member_none/$envelope_member_big";
        proxy_set_header X-B "$envelope_member_o";
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo;
    }
--- request eval
"POST /t\n" . ::sealed('{"s":"a \"b\" \u00e9", "n":1.50, "t":true, "u":null, "o":{"s": [1, 2]}, "BIG":1e3}')
--- response_body eval
"a \"b\" \xc3\xa9/1.50/true/null//1e3|{\"s\": [1, 2]}"
--- no_error_log
[error]



=== TEST 16: members of a request before it is sealed
--- config
    location /t {
        envelope_call vm;
        proxy_set_header X-A $envelope_member_id;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo?;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        add_header X-Id $envelope_member_id always;
    }
--- request
POST /t
{"id":"o-1","amount":12.50}
--- error_code: 502
--- response_headers
X-Id: o-1



=== TEST 17: a member chooses the upstream
--- http_config
    map $envelope_member_type $chosen {
        volatile;
        default  other;
        paid     paid;
    }

    envelope_profile vm {
        secret app data:hello text;

        webhook {
            body data;
            field data = json | base64;
            sign sign = hs256 key=app over=<data> | hex;
        }
    }
--- config
    location /t {
        envelope_webhook vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/to/$chosen;
    }

    location /to/ {
        return 200 $uri;
    }
--- request eval
["POST /t\n" . ::sealed('{"type":"paid"}'),
 "POST /t\n" . ::sealed('{"type":"void"}'),
 "POST /t\n" . ::sealed('{}')]
--- response_body eval
["/to/paid", "/to/other", "/to/other"]
--- no_error_log
[error]



=== TEST 18: what is asked for too early is asked for again
--- config
    location /t {
        envelope_webhook vm;
        set $early "$envelope_member_a:$envelope_result";
        proxy_set_header X-A "[$early]$envelope_member_a:$envelope_result";
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo;
    }
--- request eval
"POST /t\n" . ::sealed('{"a":7}')
--- response_body: [:]7:opened|
--- no_error_log
[error]



=== TEST 19: a subrequest to a place without a role sees what became of the request
--- config
    location /t {
        envelope_webhook vm;
        auth_request /auth;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo;
        mirror /mirror;
    }

    location = /auth {
        return 204;
    }

    location = /mirror {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/got/$envelope_result/$envelope_member_a;
    }

    location /got {
        access_log off;
        return 204;
    }
--- request eval
"POST /t\n" . ::sealed('{"a":7}')
--- response_body: |
--- error_log
"POST /got/opened/7 HTTP/1.



=== TEST 20: an ordinary variable of a similar name is no member
--- config
    location /t {
        set $envelope_members 5;
        return 200 $envelope_members;
    }
--- request
GET /t
--- response_body: 5



=== TEST 21: the variables cannot be set
--- config
    location /t {
        set $envelope_nonce 1;
    }
--- must_die
--- suppress_stderr
--- error_log
[emerg]
the duplicate "envelope_nonce" variable in




=== TEST 22: an error page knows what became of the request
--- config
    location /t {
        envelope_webhook vm;
        error_page 401 = /denied;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/echo;
    }

    location /denied {
        access_log logs/access.log envelope;
        return 403 "$envelope_profile:$envelope_role:$envelope_result";
    }
--- request eval
"POST /t\n" . '{"data":"e30=","sign":"' . ::hmac('e30=', 'nobody') . '"}'
--- error_code: 403
--- response_body: vm:webhook:rejected
--- access_log eval
qr/^\[vm:webhook:rejected:.*sign.*:-:\d+\.\d{3}\]$/



=== TEST 23: the nonce and the UUID of a request survive a redirect
--- config
    location /t {
        set $n $envelope_nonce;
        set $u $envelope_uuid;
        error_page 418 = @next;
        return 418;
    }

    location @next {
        set $same "$envelope_nonce $envelope_uuid";
        if ($same = "$n $u") {
            return 200 same;
        }
        return 200 "$same, $n $u";
    }
--- request
GET /t
--- response_body: same



=== TEST 24: so do the members of what was opened
--- config
    location /t {
        envelope_webhook vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/broken;
        error_page 502 = /fallback;
    }

    location /fallback {
        return 200 "$envelope_member_a:$envelope_result";
    }
--- http_config
    envelope_profile vm {
        secret app data:hello text id=k1;

        webhook {
            body data;
            field data = json | base64;
            sign sign = hs256 key=app over=<data> | hex;
        }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / {
            return 444;
        }
    }
--- request eval
"POST /t\n" . ::sealed('{"a":7}')
--- response_body: 7:opened
