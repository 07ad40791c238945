# The harness itself, with nothing of the module: a block fails where a
# section is ignored or misread.  It passes under the real Test::Nginx and
# under the stand-in in t/lib.

use Test::Nginx::Socket;

repeat_each(2);
no_long_string();

plan tests => repeat_each() * 106;

$ENV{TEST_NGINX_HARNESS} = 'from the environment';

our $checked = 0;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', <<'EOC') if !defined $block->config;
    location /ok {
        return 200 "$request_method $request_uri $http_x_a|$http_x_b\n";
    }
EOC

    # what nginx sends by default depends on its version
    $block->set_value('http_config', <<'EOC') if !defined $block->http_config;
    proxy_http_version 1.0;
    proxy_set_header Connection close;
EOC
});

add_response_body_check(sub {
    my ($block, $body, $req_idx, $repeated_req_idx, $dry_run) = @_;

    Test::More::is($body, $block->own_check, 'own check')
        if defined $block->own_check;
});

run_tests();

__DATA__

=== TEST 1: response_body (status 200 is the default)
--- config
    location /ok {
        return 200 "one\ntwo\n";
    }
--- request
GET /ok
--- response_body
one
two
--- own_check eval: "one\ntwo\n"



=== TEST 2: error_code, response_headers (present, empty, absent)
--- config
    location /ok {
        add_header X-One 1 always;
        add_header X-Port $server_port always;
        return 404;
    }
--- request
GET /ok
--- error_code: 404
--- response_headers
X-One: 1
X-Port: $ServerPort
X-Two:
!X-Three
--- response_body_like: 404 Not Found
--- no_error_log
[error]
[alert]



=== TEST 3: error_code_like, response_headers_like, raw_response_headers_like
--- config
    location /ok {
        add_header X-Many a1;
        add_header X-Many b2;
        return 201 "created";
    }
--- request
GET /ok
--- error_code_like: ^20[01]$
--- response_headers_like
X-Many: a\d, b\d
--- raw_response_headers_like: X-Many: a1\r\nX-Many: b2\r\n
--- raw_response_headers_unlike: X-Other
--- response_body_unlike: deleted



=== TEST 4: tcp_listen, tcp_query, tcp_reply (text)
--- config
    location /peer {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_set_header Host peer;
        proxy_set_header Connection close;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_query eval
"GET /peer HTTP/1.0\r\nHost: peer\r\nConnection: close\r\nX-A: 1\r\n\r\n"
--- tcp_query_len: 61
--- tcp_reply eval
"HTTP/1.1 202 Fine\r\nContent-Length: 5\r\n\r\nhello"
--- more_headers
# no header
X-A: 1
--- request
GET /peer
--- error_code: 202
--- response_body: hello



=== TEST 5: tcp_reply (code), a body that is trimmed, its length
--- config
    location /peer {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_query_len: 113
--- tcp_reply eval
sub {
    my ($length, $body) = shift =~ /Content-Length: (\d+)\r.*\r\n\r\n(.*)/s;
    $body =~ tr/a-f/A-F/;
    "HTTP/1.1 200 OK\r\nX-Length: $length\r\nConnection: close\r\n\r\n$body";
}
--- more_headers
Content-Type: text/x
--- request
POST /peer
  abc def  
--- response_body: ABC DEF
--- response_headers
X-Length: 7
--- error_code: 200



=== TEST 6: tcp_reply (list), tcp_reply_delay
--- config
    location /peer {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        add_header X-Slow $request_time;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 300ms
--- tcp_reply eval
["HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n", "in ", "pieces"]
--- request
GET /peer
--- response_body: in pieces
--- response_headers_like
X-Slow: 0\.[2-9]\d*



=== TEST 7: tcp_no_close, abort (the peer never answers in full)
--- config
    location /peer {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_no_close
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"
--- request
GET /peer
--- timeout: 0.3
--- abort
--- ignore_response
--- wait: 0.2
--- error_log
client prematurely closed connection



=== TEST 8: tcp_query_len alone
--- config
    location /peer {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_set_header Host peer;
        proxy_set_header Connection close;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_query_len: 4000
--- tcp_reply eval
sub { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" . length shift }
--- request eval
my $head = "GET /peer HTTP/1.0\r\nHost: peer\r\nConnection: close\r\n";
my $line = "Content-Length: NNNN\r\n\r\n";
"GET /peer\n" . 'x' x (4000 - length "$head$line")
--- response_body: 4000



=== TEST 9: raw_request
--- raw_request eval
"GET /ok HTTP/1.0\r\nX-A: 1\r\nX-B: 2\r\n\r\n"
--- response_body
GET /ok 1|2



=== TEST 10: raw_request in pieces, raw_request_middle_delay
--- config
    location /ok {
        add_header X-Slow $request_time;
        return 200 $http_x_a;
    }
--- raw_request eval
["GET /ok HTTP/1.1\r\nHost: a\r\nConn", "ection: close\r\nX-A", ": 1\r\n\r\n"]
--- raw_request_middle_delay: 0.15
--- response_body: 1
--- response_headers_like
X-Slow: 0\.[2-9]\d*



=== TEST 11: a list of requests wants a list of expectations
--- config
    location /ok {
        error_log $TEST_NGINX_SERVER_ROOT/logs/error.log info;
        return 200 "$http_x_a";
    }
    location /no {
        return 403 "no";
    }
--- request eval
["GET /ok", "GET /no"]
--- more_headers eval
["X-A: first", "X-A: second"]
--- error_code eval
[200, 403]
--- response_body eval
["first", "no"]
--- response_headers eval
["Content-Length: 5", "Content-Length: 2\n!X-A"]
--- no_error_log
[error]



=== TEST 12: a request in pieces with delays
--- config
    location /peer {
        add_header X-Slow $request_time;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
sub {
    my ($body) = shift =~ /\r\n\r\n(.*)/s;
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n$body";
}
--- request eval
[["POST /p", "eer\nab", { value => "cd", delay_before => 0.2 }, "ef"]]
--- more_headers
X-A: 1
--- response_body eval
["abcdef"]
--- response_headers_like
X-Slow: 0\.[1-9]\d*



=== TEST 13: pipelined_requests
--- config
    location /ok {
        return 200 "$request_method $request_uri";
    }
    location /no {
        return 403 "$http_connection";
    }
--- pipelined_requests eval
["GET /ok?1", "POST /ok?2\nbody", "GET /no"]
--- error_code eval
[200, 200, 403]
--- response_body eval
["GET /ok?1", "POST /ok?2", "close"]



=== TEST 14: error_log (text and pattern), grep_error_log
--- config
    location /missing {
        root html;
    }
--- request
GET /missing
--- error_code: 404
--- error_log eval
["open()", qr/\[error\] \d+#.* failed \(2: /]
--- grep_error_log eval: qr/failed \(\d+: No such file/
--- grep_error_log_out
failed (2: No such file



=== TEST 15: log_level hides what is below it
--- config
    location /missing {
        root html;
    }
--- log_level: crit
--- request
GET /missing
--- error_code: 404
--- no_error_log
[error]
[debug]



=== TEST 16: must_die
--- config
    no_such_directive;
--- suppress_stderr
--- must_die
--- error_log eval
qr/\[emerg\] .* unknown directive "no_such_directive"/
--- no_error_log
[alert]



=== TEST 17: must_die with a status
--- config
    return 600 600 600;
--- suppress_stderr
--- must_die: 1
--- error_log eval
qr/\[emerg\] .* invalid number of arguments in "return"/



=== TEST 18: main_config, http_config, the environment
--- main_config
    env TEST_NGINX_HARNESS;
--- http_config
    map $uri $mapped {
        default "$TEST_NGINX_HARNESS";
    }
--- config
    location /ok {
        return 200 "$mapped";
    }
--- request
GET /ok
--- response_body: $TEST_NGINX_HARNESS



=== TEST 19: user_files (with the environment in them)
--- user_files
>>> dir/a.txt
first $TEST_NGINX_HARNESS
>>> b.txt 201001020304.05
second
--- config
    location = /unused {
    }
--- request eval
["GET /dir/a.txt", "GET /b.txt"]
--- response_body eval
["first from the environment\n", "second\n"]
--- response_headers eval
["Content-Length: 27", "Last-Modified: Sat, 02 Jan 2010 03:04:05 GMT"]



=== TEST 20: the root location and its index
--- config
--- request
GET /
--- response_body_like: It works!



=== TEST 21: chunked response, HTTP/1.1
--- config
    location /peer {
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
--- request
GET /peer
--- response_headers
Transfer-Encoding: chunked
--- response_body: abcde



=== TEST 22: chunked request
--- config
    location /ok {
        client_body_in_single_buffer on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/length;
    }
    location /length {
        return 200 "$content_length";
    }
--- more_headers
Transfer-Encoding: chunked
--- request eval
"POST /ok
5\r
hello\r
0\r
\r
"
--- response_body: 5



=== TEST 23: response_body_filters
--- request
GET /ok
--- response_body_filters: uc md5_hex
--- response_body eval
use Digest::MD5;
Digest::MD5::md5_hex("GET /OK |\n")



=== TEST 24: access_log, no_access_log
--- request
GET /ok?logged
--- access_log
"GET /ok?logged HTTP/1.1" 200
--- no_access_log
POST



=== TEST 25: http2 (the real harness knows how only from nginx 1.25.1 on)
--- skip_eval: 2: !$INC{'Test/Nginx/Standin/Server.pm'} && $Test::Nginx::Util::NginxVersion < 1.025001
--- http2
--- config
    location /peer {
        proxy_set_header X-B $server_protocol;
        proxy_set_header Connection close;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
sub {
    my ($body) = shift =~ m{^PUT /peer .*\r\nX-B: HTTP/2.0\r\n.*\r
Content-Length: 8\r\n.*\r\n\r\n(.*)}s;
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n$body";
}
--- more_headers
X-A: 1
--- request
PUT /peer
{"a": 1}
--- response_body: {"a": 1}



=== TEST 26: HEAD, 304 and 204 have no body
--- config
    location /ok {
        return 200 "body";
    }
    location /none {
        return 204;
    }
    location /not {
        return 304;
    }
--- request eval
["HEAD /ok", "GET /none", "GET /not"]
--- error_code eval
[200, 204, 304]
--- response_body eval
["", "", ""]



=== TEST 27: init runs before the request
--- init
    open my $out, '>', "$ENV{TEST_NGINX_SERVER_ROOT}/html/init.txt";
    print $out 'by init';
    close $out;
--- config
--- request
GET /init.txt
--- response_body: by init



=== TEST 28: skip_nginx
--- skip_nginx: 3: > 0.1.0: always
--- config
    this would not start;
--- request
GET /
--- response_body
no



=== TEST 29: skip_eval
--- skip_eval: 2: 1 + 1 == 2
--- config
    this would not start;
--- request
GET /
--- response_body
no



=== TEST 30: skip_eval that does not skip
--- skip_eval: 2: $::checked
--- request
GET /ok
--- response_body
GET /ok |



=== TEST 31: not run at all
--- SKIP
--- config
    this would not start;
--- request
GET /



=== TEST 32: shutdown (the client half closes)
--- config
    location /peer {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 100ms
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nlate"
--- request
GET /peer
--- shutdown
--- ignore_response
--- wait: 0.2
--- error_log
client prematurely closed connection



=== TEST 33: server_name, Host of one's own
--- server_name: example.com
--- config
    location /ok {
        return 200 "$server_name $host";
    }
--- more_headers
Host: other.example
--- request
GET /ok
--- response_body: example.com other.example
